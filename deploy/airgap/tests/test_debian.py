"""The commands that make the base, and what happens when they fail."""

import os
import subprocess
from pathlib import Path

import pytest

from airgap import debian
from airgap.mirror import Mirror
from souk.console import CommandError

MIRROR = Mirror("http://m/debian", "http://m/security", key="/keys/mirror.asc")


def test_command_names_the_mirror_and_its_key() -> None:
    command = debian.mmdebstrap(MIRROR, Path("/keys/mirror.asc"), "-", ["--variant=minbase"])

    assert command[-5:] == ["trixie", "-", *MIRROR.sources()]
    assert "--keyring=/keys/mirror.asc" in command


def test_debians_own_keys_are_left_to_mmdebstrap() -> None:
    words = [*debian.mmdebstrap(MIRROR, None, "-", []), *debian.base_options(None)]

    assert not [word for word in words if "keyring" in word or "trusted.gpg" in word]


def test_hooks_put_files_and_key_into_the_new_root(tmp_path: Path) -> None:
    key = tmp_path / "my keys" / "mirror.asc"
    key.parent.mkdir()
    key.write_text("key")
    root = tmp_path / "new root"
    root.mkdir()
    hooks = [
        word.partition("=")[2]
        for word in debian.base_options(key)
        if word.startswith(("--setup-hook", "--customize-hook"))
    ]
    (root / "etc").mkdir()
    (root / "etc" / "resolv.conf").write_text("nameserver 192.0.2.1\n")

    for hook in hooks:
        subprocess.run(["sh", "-c", hook, "sh", str(root)], check=True)

    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {
        "etc/apt/trusted.gpg.d/mirror.asc",
        "usr/local/sbin/install-packages",
        "usr/sbin/policy-rc.d",
    }
    assert (root / "usr/sbin/policy-rc.d").stat().st_mode & 0o111


def test_inputs_change_with_the_mirror_and_with_nothing_else() -> None:
    assert debian.inputs(MIRROR) == debian.inputs(MIRROR)
    assert debian.inputs(MIRROR) != debian.inputs(Mirror("http://other/debian"))


def test_output_of_the_first_is_the_input_of_the_second(tmp_path: Path) -> None:
    debian.pipe(["echo", "tar"], ["sh", "-c", f"cat > '{tmp_path}/image'"])

    assert (tmp_path / "image").read_text() == "tar\n"


@pytest.mark.parametrize(
    ("writer", "reader", "told"),
    [
        ("echo no mirror >&2; exit 25", "cat", "no mirror"),
        ("echo tar", "cat >/dev/null; echo no engine >&2; exit 1", "no engine"),
    ],
)
def test_failure_of_either_is_told_with_its_words(writer: str, reader: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        debian.pipe(["sh", "-c", writer], ["sh", "-c", reader])


def test_writer_is_ended_with_us() -> None:
    seconds = f"300.{os.getpid()}"  # a word by which it is found again

    with pytest.raises(FileNotFoundError):
        debian.pipe(["sleep", seconds], ["no-such-program"])

    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert [word for word in words if f"sleep\0{seconds}".encode() in word] == []
