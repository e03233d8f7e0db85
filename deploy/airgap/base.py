"""The base of all stand-ins: a minimal Debian 13, bootstrapped from this machine's mirror and
brought up to date.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap import builder, trixie
from airgap.apt_sources import Mirror
from airgap.standins import BASE, LABEL
from native import packages
from native.packages import SEARCH_PATH
from souk import commands
from souk.console import CommandError, log_step

RAW = "souk-airgap/debootstrap:trixie"
# Not /tmp, which is often mounted nodev: debootstrap makes devices.
SCRATCH = "/var/tmp"  # noqa: S108  # nosec B108


def build(mirror: Mirror, inputs: str, *, afresh: bool = False) -> None:
    """Bootstraps, imports, and builds images/base upon it.

    Raises:
        CommandError: not root, or a step failed; says why.
    """
    if os.geteuid() != 0:
        raise CommandError("only root may bootstrap Debian: sudo python3 deploy/airgap images")
    if not shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}"):
        log_step("installing debootstrap")
        packages.install("debootstrap")
    with _scratch_folder() as root:
        log_step(f"bootstrapping Debian {trixie.SUITE}")
        _bootstrap(mirror, root)
        _configure(mirror, root)
        _import(root)
    try:
        builder.build(BASE.folder, BASE.tag, {"RAW": RAW}, {LABEL: inputs}, afresh=afresh)
    finally:
        subprocess.run(["docker", "image", "rm", RAW], capture_output=True, check=False)


def _bootstrap(mirror: Mirror, root: Path) -> None:
    keys = trixie.keyring(mirror.main, root.parent)
    checks = ["--no-check-gpg"] if mirror.main.trusted else [f"--keyring={keys}"] if keys else []
    words = ["debootstrap", "--variant=minbase", *checks, trixie.SUITE, str(root), mirror.main.uri]
    path = f"{os.environ.get('PATH', '')}:{SEARCH_PATH}"
    commands.run_checked("debootstrap", words, variables={"PATH": path})


def _configure(mirror: Mirror, root: Path) -> None:
    """apt in the image uses the same mirror, the same keys and the same ways through the network as
    this machine's.
    """
    (root / "etc/apt/sources.list").write_text(trixie.sources_list(mirror))
    (root / "etc/apt/apt.conf.d/50network").write_text(trixie.network_settings())
    keys = trixie.keyring(mirror.main, root.parent)
    if keys and not keys.name.startswith("debian-archive"):
        target = root / "etc/apt/trusted.gpg.d/mirror.gpg"
        shutil.copyfile(keys, target)
        target.chmod(0o644)
    # debootstrap copies the machine's own: Docker puts its own in place.
    for name in ("resolv.conf", "hostname"):
        (root / "etc" / name).unlink(missing_ok=True)


def _import(root: Path) -> None:
    log_step("importing it")
    # Without the devices: Docker makes those a container may have.
    tar = [
        "tar",
        "-c",
        "--one-file-system",
        "--numeric-owner",
        "--exclude=./dev/*",
        "-C",
        str(root),
        ".",
    ]
    words = ["docker", "import", "--change", f"ENV PATH={SEARCH_PATH}", "-", RAW]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
        done = subprocess.run(
            words, stdin=packing.stdout, capture_output=True, text=True, check=False
        )
    if packing.returncode or done.returncode:
        raise CommandError(f"docker import failed: {done.stderr.strip()}")


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """A place for the new root, deleted at the end, but never through a mount: it may be the
    machine's own /proc or /dev.
    """
    folder = Path(tempfile.mkdtemp(prefix="souk-airgap-", dir=SCRATCH))
    try:
        yield folder / "root"
    finally:
        for mounted in sorted(_mounts(folder), reverse=True):
            subprocess.run(["umount", str(mounted)], check=False)
        if left := _mounts(folder):
            log_step(
                f"beware: {left[0]} is still mounted, so {folder} stays; umount it, then delete the folder"
            )
        else:
            subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)


def _mounts(folder: Path) -> list[Path]:
    """What is mounted below the folder."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [Path(line.split()[4]) for line in lines]
    return [place for place in places if place.is_relative_to(folder)]
