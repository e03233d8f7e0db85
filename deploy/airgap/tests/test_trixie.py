import base64
from dataclasses import replace
from pathlib import Path

from airgap import trixie
from airgap.apt_sources import Archive, Mirror

MAIN = Archive("http://mirror.example/debian", ("bookworm",), ("main",))
SECURITY = Archive("http://mirror.example/debian-security", ("bookworm-security",), ("main",))
KEY = bytes(range(200))


def armored(headers: str = "") -> str:
    lines = base64.encodebytes(KEY).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n{headers}\n{lines}=aBcD\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_sources_name_debian_13_at_the_machines_mirror() -> None:
    text = trixie.sources_list(Mirror(MAIN, SECURITY), Path("/keys.gpg"))

    assert text.splitlines() == [
        "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie main",
        "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie-updates main",
        "deb [signed-by=/keys.gpg] http://mirror.example/debian-security trixie-security main",
    ]


def test_sources_leave_out_what_the_machine_does_not_have() -> None:
    text = trixie.sources_list(Mirror(MAIN))

    assert "security" not in text
    assert "signed-by" not in text


def test_signatures_are_only_ignored_where_the_machine_ignores_them() -> None:
    text = trixie.sources_list(Mirror(replace(MAIN, trusted=True), SECURITY), Path("/keys.gpg"))

    assert [line.split()[1] for line in text.splitlines()] == [
        "[trusted=yes]",
        "[trusted=yes]",
        "[signed-by=/keys.gpg]",
    ]


def test_keyring_is_the_one_the_archive_names(tmp_path: Path) -> None:
    assert trixie.keyring(
        replace(MAIN, signed_by="/etc/apt/a.gpg,/etc/apt/b.gpg"), tmp_path
    ) == Path("/etc/apt/a.gpg")


def test_key_within_the_entry_becomes_a_file(tmp_path: Path) -> None:
    path = trixie.keyring(replace(MAIN, signed_by=armored()), tmp_path)

    assert path is not None
    assert path.read_bytes() == KEY


def test_key_file_in_text_form_is_unpacked(tmp_path: Path) -> None:
    named = tmp_path / "mirror.asc"
    named.write_text(armored("Comment: mirror.example\n"))

    path = trixie.keyring(replace(MAIN, signed_by=str(named)), tmp_path)

    assert path is not None
    assert path.read_bytes() == KEY
