"""The commands that make the base, and what happens when they fail."""

import subprocess
from pathlib import Path

import pytest

from airgap import debian
from airgap.mirror import Mirror
from souk.console import CommandError

MIRROR = Mirror("http://m/debian", "http://m/security", key="/keys/mirror.asc")


def test_command_names_the_mirror_and_its_key() -> None:
    command = debian.mmdebstrap(MIRROR, Path("/keys/mirror.asc"))

    assert command[-5:] == ["trixie", "-", *MIRROR.sources()]
    assert "--keyring=/keys/mirror.asc" in command


def test_debians_own_keys_need_no_copy() -> None:
    command = debian.mmdebstrap(Mirror("http://m/debian"), Path("/usr/share/keyrings/debian.gpg"))

    assert not [word for word in command if "keyring" in word]


def test_hooks_put_files_and_key_into_the_new_root(tmp_path: Path) -> None:
    key = tmp_path / "my keys" / "mirror.asc"
    key.parent.mkdir()
    key.write_text("key")
    root = tmp_path / "new root"
    root.mkdir()
    hooks = [
        word.partition("=")[2]
        for word in debian.mmdebstrap(MIRROR, key)
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


def test_writer_does_not_outlive_a_reader_that_fails() -> None:
    with pytest.raises(CommandError):
        debian.pipe(["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"], ["false"])
