"""Debian 13 by mmdebstrap from this machine's mirror: the stand-ins' base, single programs."""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airgap.mirror import SUITE, Mirror, network_settings
from native import packages
from souk import commands
from souk.console import CommandError, last_lines, log_step

TAG = f"souk-airgap/base:{SUITE}"
HERE = Path(__file__).resolve().parent
#: Files that are put over it: install-packages, and what keeps packages from starting anything.
ROOT = HERE / "root"
#: What its dpkg leaves out, now and later.
SLIM = HERE / "slim.cfg"
#: The image's label: what it was made of.
LABEL = "org.souk.airgap.inputs"


def ensure(mirror: Mirror, *, force: bool = False) -> None:
    """Make the base image, unless it is there and was made of the same.

    Raises:
        CommandError: not root, or a step failed; says why.
    """
    wanted = inputs(mirror)
    template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    present = commands.run(["docker", "image", "inspect", "--format", template, TAG])
    if present.stdout.strip() == wanted and not force:
        return
    _provide_mmdebstrap()
    log_step(f"making {TAG}")
    with tempfile.TemporaryDirectory(prefix="souk-airgap-") as folder:
        key = mirror.key_file(Path(folder))
        pipe(mmdebstrap(mirror, key, "-", base_options(key)), import_command(wanted))


def unpack(names: Sequence[str], mirror: Mirror, folder: Path) -> Path:
    """Unpack packages and what they depend on, without installing them. Returns where.

    Raises:
        CommandError: not root, or a package cannot be had; says why.
    """
    _provide_mmdebstrap()
    options = ["--variant=extract", f"--include={','.join(names)}"]
    root = folder / "root"
    words = mmdebstrap(mirror, mirror.key_file(folder), str(root), options)
    commands.run_checked("mmdebstrap", words)
    return root


def _provide_mmdebstrap() -> None:
    if os.geteuid() != 0:
        raise CommandError("only root may make a Debian: sudo python3 deploy/airgap")
    if not packages.find_program("mmdebstrap"):
        log_step("installing mmdebstrap")
        packages.install("mmdebstrap")


def inputs(mirror: Mirror) -> str:
    """Return a hash of all that it is made of, whatever the packages are by then."""
    files = sorted(path for path in [Path(__file__), SLIM, *ROOT.rglob("*")] if path.is_file())
    parts = [part for path in files for part in (path.name.encode(), path.read_bytes())]
    words = [repr(mirror).encode(), *(line.encode() for line in network_settings())]
    return hashlib.sha256(b"\0".join([*parts, *words])).hexdigest()


def mmdebstrap(mirror: Mirror, key: Path | None, target: str, options: Sequence[str]) -> list[str]:
    """Return the command that makes a Debian in a folder, or as a tar file on its stdout (-).

    apt in there uses the mirror, the keys and the ways through the network of this machine.
    """
    words = ["mmdebstrap", "--mode=root", *options]
    words += [f"--aptopt={line}" for line in network_settings()]
    words += [f"--keyring={key}"] if key else []
    return [*words, SUITE, target, *mirror.sources()]


def base_options(key: Path | None) -> list[str]:
    """Return what makes a Debian the base of images."""
    words = ["--variant=minbase", "--format=tar", f"--dpkgopt={SLIM}"]
    # Docker makes the devices that a container may have; our policy-rc.d is to stay.
    words += ["--skip=output/dev", "--skip=chroot/policy-rc.d"]
    words += [f'--setup-hook=cp -r --preserve=mode {shlex.quote(str(ROOT))}/. "$1"']
    if key:
        target = f'"$1"/etc/apt/trusted.gpg.d/mirror{key.suffix}'
        words += [f"--setup-hook=install -Dm644 {shlex.quote(str(key))} {target}"]
    # Docker puts its own in place of the machine's, which mmdebstrap copies.
    return [*words, '--customize-hook=rm -f "$1"/etc/resolv.conf "$1"/etc/hostname']


def import_command(label: str) -> list[str]:
    """Return the command that makes the image of a tar file on its stdin."""
    environment = f"ENV PATH={packages.SEARCH_PATH} LANG=C.UTF-8"
    settings = (environment, 'CMD ["bash"]', f"LABEL {LABEL}={label}")
    return ["docker", "import", *(f"--change={setting}" for setting in settings), "-", TAG]


def pipe(writer: Sequence[str], reader: Sequence[str]) -> None:
    """Run two commands, the output of the first being the input of the second.

    Raises:
        CommandError: either failed; shows the end of what both said.
    """
    path = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"}
    with tempfile.TemporaryFile("w+") as said:
        writing = subprocess.Popen(writer, stdout=subprocess.PIPE, stderr=said, env=path)
        try:
            read = subprocess.run(
                reader, stdin=writing.stdout, stdout=said, stderr=said, env=path, check=False
            )
        finally:
            # Without a reader it has nothing to do; it takes down what it has mounted.
            if writing.stdout:
                writing.stdout.close()
            if writing.poll() is None and sys.exc_info()[0]:
                writing.terminate()
            writing.wait()
        if writing.returncode or read.returncode:
            said.seek(0)
            raise CommandError(f"{writer[0]} | {reader[0]} failed:\n{last_lines(said.read())}")
