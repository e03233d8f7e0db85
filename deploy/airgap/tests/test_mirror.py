"""What apt says of its archives becomes the mirror of Debian 13. The last test asks this apt."""

import shutil
from pathlib import Path

import pytest

from airgap.mirror import Mirror, find_mirror, read_targets
from souk.console import CommandError

ARMORED = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mQINBGO=
=aBcD
-----END PGP PUBLIC KEY BLOCK-----"""


def stanza(tmp_path: Path, text: str, number: int = 1) -> str:
    path = tmp_path / "debian.sources"
    path.write_text(text)
    return f"{path}:{number}"


def line(tmp_path: Path, text: str, number: int = 1) -> str:
    path = tmp_path / "sources.list"
    path.write_text(text)
    return f"{path}:{number}"


def test_first_archive_of_each_label_is_the_mirror(tmp_path: Path) -> None:
    source = line(tmp_path, "deb http://mirror.example/debian bookworm main\n")

    found = read_targets(
        f"Debian Backports|http://back.example/debian/|{source}\n"
        f"Debian|http://mirror.example/debian/|{source}\n"
        f"Debian|http://far.example/debian/|{source}\n"
        f"Debian-Security|http://mirror.example/debian-security/|{source}\n"
    )

    assert found == Mirror("http://mirror.example/debian", "http://mirror.example/debian-security")


@pytest.mark.parametrize(
    "told", ["", "Debian|cdrom:[Debian]/|/x.list:1\n", "Ubuntu|http://u/|/x:1\n"]
)
def test_machine_without_a_usable_mirror_is_refused(told: str) -> None:
    with pytest.raises(CommandError, match="no mirror of Debian"):
        read_targets(told)


def test_file_of_mirrors_stands_for_its_first(tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors.list"
    mirrors.write_text("# nearest first\nhttp://mirror.example/debian\tpriority:1\nhttp://far/\n")
    source = line(tmp_path, f"deb mirror+file:{mirrors} bookworm main\n")

    assert (
        read_targets(f"Debian|mirror+file:{mirrors}/|{source}").main
        == "http://mirror.example/debian"
    )


@pytest.mark.parametrize("option", ["trusted=yes", "arch=amd64 Trusted=yes", "trusted=1"])
def test_line_that_trusts_without_signatures_says_so(tmp_path: Path, option: str) -> None:
    text = (
        f"deb http://other.example/x y main\ndeb [{option}] http://mirror.example/debian z main\n"
    )

    assert read_targets(
        f"Debian|http://mirror.example/debian/|{line(tmp_path, text, 2)}"
    ).is_trusted
    assert not read_targets(f"Debian|http://other.example/|{line(tmp_path, text, 1)}").is_trusted


def test_key_and_trust_are_those_of_the_stanza_that_apt_names(tmp_path: Path) -> None:
    text = """# one mirror for all
Types: deb
URIs: http://other.example/debian
Trusted: yes
Signed-By: /other.gpg

# comment
Types: deb
URIs: http://mirror.example/debian
# Trusted: yes
Signed-By: /usr/share/keyrings/a.gpg,/b.gpg
"""

    found = read_targets(f"Debian|http://mirror.example/debian/|{stanza(tmp_path, text, 2)}")

    assert (found.key, found.is_trusted) == ("/usr/share/keyrings/a.gpg", False)


def test_key_of_a_line_is_found(tmp_path: Path) -> None:
    source = line(
        tmp_path, "deb [ arch=amd64 Signed-By=/keys/a.asc ] http://m.example/ bookworm main\n"
    )

    assert read_targets(f"Debian|http://m.example/|{source}").key == "/keys/a.asc"


def test_key_within_a_stanza_becomes_a_file_that_apt_takes(tmp_path: Path) -> None:
    indented = "\n".join(f" {each or '.'}" for each in ARMORED.splitlines())
    source = stanza(tmp_path, f"Types: deb\nURIs: http://m.example/\nSigned-By:\n{indented}\n")

    path = read_targets(f"Debian|http://m.example/|{source}").key_file(tmp_path)

    assert path == tmp_path / "mirror.asc"
    assert path.read_text() == f"{ARMORED}\n"


def test_debians_own_keys_need_no_file(tmp_path: Path) -> None:
    assert Mirror("http://m.example").key_file(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_sources_name_debian_13_at_the_mirror() -> None:
    assert Mirror("http://m/debian", "http://m/security").sources() == [
        "deb http://m/debian trixie main",
        "deb http://m/debian trixie-updates main",
        "deb http://m/security trixie-security main",
    ]


def test_sources_leave_out_what_the_machine_does_not_have() -> None:
    sources = Mirror("http://m/debian").sources()

    assert [source.split()[2] for source in sources] == ["trixie", "trixie-updates"]


def test_signatures_are_only_ignored_where_the_machine_ignores_them() -> None:
    sources = Mirror("http://m/debian", is_trusted=True).sources()

    assert {source.split()[1] for source in sources} == {"[trusted=yes]"}


@pytest.mark.skipif(not shutil.which("apt-get"), reason="there is no apt here")
def test_this_machines_mirror_is_found() -> None:
    found = find_mirror()

    assert found.main.startswith(("http:", "https:", "file:"))
