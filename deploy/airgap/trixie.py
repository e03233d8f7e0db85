"""Packages of Debian 13, whatever the release of this machine, through apt with a state of its own:
signatures are checked.
"""

import base64
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from airgap import apt_sources
from airgap.apt_sources import Archive, Mirror
from native import packages

SUITE = "trixie"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What a machine has had to tell its apt, an apt in a container on it must be told too.
NETWORK_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Retries",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


def mirror() -> Mirror:
    """The mirror this machine uses.

    Raises:
        CommandError: it is not a Debian machine, or its apt knows no mirror.
    """
    return apt_sources.mirror(apt_sources.archives(), apt_sources.release())


def sources_list(found: Mirror, keyring: Path | None = None) -> str:
    """sources.list of Debian 13; without a keyring apt takes the keys it trusts anyway."""
    suites = [(found.main, SUITE), (found.main, f"{SUITE}-updates")]
    if found.security:
        suites.append((found.security, f"{SUITE}-security"))
    return "".join(f"deb {_options(one, keyring)}{one.uri} {suite} main\n" for one, suite in suites)


def _options(archive: Archive, keyring: Path | None) -> str:
    if archive.trusted:
        return "[trusted=yes] "
    return f"[signed-by={keyring}] " if keyring else ""


def network_settings() -> str:
    """Lines for apt.conf."""
    words = ["apt-config", "dump", "--no-empty", *NETWORK_SETTINGS]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def keyring(archive: Archive, folder: Path) -> Path | None:
    """The keys that sign an archive, as a file that apt and gpgv take; one in text form is unpacked
    into `folder`.
    """
    key = archive.signed_by
    if key.startswith("/"):
        path = Path(re.split(r"[,\s]", key)[0])
        if path.suffix != ".asc":
            return path
        key = path.read_text()
    if "BEGIN PGP" in key:
        unpacked = folder / "mirror.gpg"
        unpacked.write_bytes(unarmored(key))
        return unpacked
    return DEBIAN_KEYRING if DEBIAN_KEYRING.exists() else None


def unarmored(text: str) -> bytes:
    """The binary form of a key in text form (RFC 9580, 6.2)."""
    body = text.partition("-----BEGIN PGP PUBLIC KEY BLOCK-----")[2].partition("-----END")[0]
    lines = [line.strip() for line in body.strip("\n").splitlines()]
    # Headers end with an empty line; the checksum's line begins with a sign that base64 never
    # begins with.
    start = lines.index("") + 1 if "" in lines else 0
    return base64.b64decode("".join(line for line in lines[start:] if not line.startswith("=")))


def fetch(names: Sequence[str], folder: Path) -> list[Path]:
    """Downloads packages into the folder, without what they depend on.

    Raises:
        CommandError: apt could not; says why.
    """
    found = mirror()
    listing = folder / "sources.list"
    listing.write_text(sources_list(found, keyring(found.main, folder)))
    for part in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / part).mkdir(parents=True)
    private = _private_state(folder, listing)
    packages.apt(*private, "update")
    packages.apt(*private, "download", *names, folder=folder / "packages")
    return sorted((folder / "packages").glob("*.deb"))


def _private_state(folder: Path, listing: Path) -> list[str]:
    """Options with which apt neither sees nor changes what this machine has."""
    options = {
        "Dir::Etc::sourcelist": listing,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache",
        # apt's own user may not enter the folder.
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
