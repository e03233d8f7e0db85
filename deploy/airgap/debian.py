"""The base of all stand-ins: a minimal Debian 13, made by mmdebstrap from this machine's mirror."""

import hashlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airgap import docker
from airgap.mirror import SUITE, Mirror, network_settings
from native import packages
from souk.console import CommandError, last_lines, log_step

TAG = f"souk-airgap/base:{SUITE}"
HERE = Path(__file__).resolve().parent
#: Files that are put over it: install-packages, and what keeps packages from starting anything.
ROOT = HERE / "root"
#: What its dpkg leaves out, now and later.
SLIM = HERE / "slim.cfg"
#: The image's label: what it was made of.
LABEL = "org.souk.airgap.inputs"


def ensure(mirror: Mirror, *, afresh: bool = False) -> None:
    """Make the image, unless it is there and was made of the same.

    Raises:
        CommandError: not root, or a step failed; says why.
    """
    wanted = inputs(mirror)
    present = docker.inspect([TAG]).get(TAG, {"Config": {}})["Config"].get("Labels") or {}
    if present.get(LABEL) == wanted and not afresh:
        return
    if os.geteuid() != 0:
        raise CommandError("only root may make a Debian: sudo python3 deploy/airgap images")
    if not packages.find_program("mmdebstrap"):
        log_step("installing mmdebstrap")
        packages.install("mmdebstrap")
    log_step(f"making {TAG}")
    with tempfile.TemporaryDirectory(prefix="souk-airgap-") as folder:
        pipe(mmdebstrap(mirror, mirror.key_file(Path(folder))), import_command(wanted))


def inputs(mirror: Mirror) -> str:
    """Return a hash of all that it is made of, whatever the packages are by then."""
    files = sorted(path for path in [Path(__file__), SLIM, *ROOT.rglob("*")] if path.is_file())
    parts = [part for path in files for part in (path.name.encode(), path.read_bytes())]
    words = [repr(mirror).encode(), *(line.encode() for line in network_settings())]
    return hashlib.sha256(b"\0".join([*parts, *words])).hexdigest()


def mmdebstrap(mirror: Mirror, key: Path | None) -> list[str]:
    """Return the command that writes the Debian to its stdout, as a tar file.

    apt in the image uses the same mirror, keys and ways through the network as this machine's.
    """
    words = ["mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"]
    # Docker makes the devices that a container may have; our policy-rc.d is to stay.
    words += ["--skip=output/dev", "--skip=chroot/policy-rc.d"]
    words += [f"--dpkgopt={SLIM}"]
    words += [f"--aptopt={line}" for line in network_settings()]
    words += [f'--setup-hook=cp -r --preserve=mode {shlex.quote(str(ROOT))}/. "$1"']
    if key and mirror.key:
        target = f'"$1"/etc/apt/trusted.gpg.d/mirror{key.suffix}'
        words += [f"--keyring={key}"]
        words += [f"--setup-hook=install -Dm644 {shlex.quote(str(key))} {target}"]
    # Docker puts its own in place of the machine's, which mmdebstrap copies.
    words += ['--customize-hook=rm -f "$1"/etc/resolv.conf "$1"/etc/hostname']
    return [*words, SUITE, "-", *mirror.sources()]


def import_command(label: str) -> list[str]:
    """Return the command that makes the image of a tar file on its stdin."""
    settings = (
        f"ENV PATH={packages.SEARCH_PATH} LANG=C.UTF-8",
        'CMD ["bash"]',
        f"LABEL {LABEL}={label}",
    )
    changes = [word for setting in settings for word in ("--change", setting)]
    return ["docker", "import", *changes, "-", TAG]


def pipe(writer: Sequence[str], reader: Sequence[str]) -> None:
    """Run two commands, the output of the first being the input of the second.

    Raises:
        CommandError: one failed; shows the end of what both said.
    """
    path = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"}
    with tempfile.TemporaryFile("w+") as said:
        writing = subprocess.Popen(writer, stdout=subprocess.PIPE, stderr=said, env=path)
        try:
            read = subprocess.run(
                reader, stdin=writing.stdout, stdout=said, stderr=said, env=path, check=False
            )
        finally:
            # Without a reader it ends by itself; told to stop, it takes down what it has mounted.
            if writing.stdout:
                writing.stdout.close()
            if writing.poll() is None:
                writing.terminate()
            writing.wait()
        if writing.returncode or read.returncode:
            said.seek(0)
            failed = writer[0] if writing.returncode else " ".join(reader[:2])
            raise CommandError(f"{failed} failed:\n{last_lines(said.read())}")
