from pathlib import Path

import pytest

from airgap.apt_sources import Archive, archives, mirror, parse_lines, parse_stanzas, release
from souk.console import CommandError

DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = Archive("http://mirror.example/debian", ("bookworm",), ("main",))
SECURITY = Archive("http://mirror.example/debian-security", ("bookworm-security",), ("main",))
STRANGER = Archive(
    "https://packages.example/deb", ("bookworm",), ("main",), "/etc/apt/keyrings/stranger.gpg"
)


def apt_folder(tmp_path: Path, **files: str) -> Path:
    """sources_list is the old file, every other name one in sources.list.d."""
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        path = (
            tmp_path / "sources.list"
            if name == "sources_list"
            else tmp_path / "sources.list.d" / name
        )
        path.write_text(text)
    return tmp_path


def test_line_with_options_is_read() -> None:
    text = f"deb [ arch=amd64 Signed-By={DEBIAN_KEYS} ] http://mirror.example/debian/ bookworm main contrib # ours\n"

    assert parse_lines(text) == [
        Archive("http://mirror.example/debian", ("bookworm",), ("main", "contrib"), DEBIAN_KEYS)
    ]


def test_line_without_options_is_read() -> None:
    assert parse_lines("deb\thttp://mirror.example/debian  bookworm\tmain\n") == [DEBIAN]


@pytest.mark.parametrize(
    "line",
    [
        "# deb http://mirror.example/debian bookworm main",
        "deb-src http://mirror.example/debian bookworm main",
        "debian",
    ],
)
def test_line_that_is_no_archive_of_packages_is_skipped(line: str) -> None:
    assert parse_lines(line) == []


def test_line_that_trusts_without_signatures_says_so() -> None:
    (found,) = parse_lines("deb [trusted=yes] http://mirror.example/debian bookworm main")

    assert found.trusted
    assert not DEBIAN.trusted


def test_stanza_with_two_addresses_is_two_archives() -> None:
    found = parse_stanzas(f"""Types: deb deb-src
# URIs: http://snapshot.example/debian
URIs: http://mirror.example/debian/ http://second.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {DEBIAN_KEYS}
""")

    assert [one.uri for one in found] == [
        "http://mirror.example/debian",
        "http://second.example/debian",
    ]
    assert {one.suites for one in found} == {("bookworm", "bookworm-updates")}
    assert {one.signed_by for one in found} == {DEBIAN_KEYS}


def test_stanzas_are_told_apart_and_a_disabled_one_is_skipped() -> None:
    found = parse_stanzas("""types: deb
uris: http://mirror.example/debian
suites: bookworm
components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
\t
Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main


Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
""")

    assert found == [DEBIAN, SECURITY]


def test_key_within_a_stanza_is_kept_line_by_line() -> None:
    (found,) = parse_stanzas("""Types: deb
URIs: http://mirror.example/debian
Suites:
 bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGO=
 -----END PGP PUBLIC KEY BLOCK-----
""")

    assert found.suites == ("bookworm",)
    assert found.signed_by.splitlines() == [
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "",
        "mQINBGO=",
        "-----END PGP PUBLIC KEY BLOCK-----",
    ]


def test_all_files_of_a_machine_are_read_and_others_are_not(tmp_path: Path) -> None:
    folder = apt_folder(
        tmp_path,
        sources_list="deb http://first.example/debian bookworm main",
        **{
            "b.list": "deb http://third.example/debian bookworm main",
            "a.sources": "Types: deb\nURIs: http://second.example/debian\nSuites: bookworm\nComponents: main\n",
            "c.list.disabled": "deb http://off.example/debian bookworm main",
            "d.list.save": "deb http://off.example/debian bookworm main",
        },
    )

    hosts = [one.uri.split("/")[2] for one in archives(folder)]

    assert hosts == ["first.example", "second.example", "third.example"]


def test_machine_without_any_file_has_no_archives(tmp_path: Path) -> None:
    assert archives(tmp_path) == []


def test_file_of_mirrors_stands_for_its_first(tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors.list"
    mirrors.write_text(
        "# nearest first\nhttp://mirror.example/debian\tpriority:1\nhttp://far.example/debian\n"
    )

    assert parse_lines(f"deb mirror+file:{mirrors} bookworm main") == [DEBIAN]


def test_debian_is_chosen_among_strangers_with_its_suite() -> None:
    chosen = mirror([STRANGER, DEBIAN, SECURITY], "bookworm")

    assert (chosen.main, chosen.security) == (DEBIAN, SECURITY)


def test_archive_with_debians_key_is_chosen_whatever_its_path() -> None:
    private = Archive("https://mirror.example/apt", ("bookworm",), ("main",), DEBIAN_KEYS)

    assert mirror([STRANGER, private], "bookworm").main == private


def test_suite_by_its_alias_is_known() -> None:
    by_alias = Archive("http://mirror.example/debian", ("stable",), ("main",))

    assert mirror([by_alias], "bookworm").main == by_alias
    assert mirror([by_alias], "bookworm").security is None


@pytest.mark.parametrize(
    "useless",
    [
        SECURITY,
        Archive("http://mirror.example/debian", ("bookworm",), ("contrib",)),
        Archive("http://mirror.example/debian", ("nodistro",), ("main",)),
        Archive("cdrom:[Debian", ("bookworm",), ("main",)),
    ],
)
def test_no_mirror_is_said_to_be_missing(useless: Archive) -> None:
    with pytest.raises(CommandError, match="no archive of Debian bookworm"):
        mirror([useless], "bookworm")


def test_release_is_read_from_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('PRETTY_NAME="Debian"\nVERSION_CODENAME=bookworm\nID=debian\n')

    assert release(path) == "bookworm"


def test_machine_that_is_not_debian_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME="noble"\n')

    with pytest.raises(CommandError, match="Debian machine"):
        release(path)
