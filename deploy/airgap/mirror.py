"""The mirror of Debian that this machine's apt uses, for packages of Debian 13 and their images.

apt itself says which archives it knows (`apt-get indextargets`), so that both styles of
sources.list(5), options and all, are read by the program that they are meant for.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from native import packages
from souk import commands
from souk.console import CommandError

SUITE = "trixie"
SCHEMES = ("http:", "https:", "file:")
FORMAT = "$(LABEL)|$(REPO_URI)|$(SOURCESENTRY)"
FILTERS = ("Created-By: Packages", "Component: main", "Origin: Debian")
KEY_BLOCK = re.compile(r"-----BEGIN PGP.*?-----END PGP[^\n]*", re.DOTALL)
#: What a machine has had to tell its apt, an apt in a container on it must be told too.
NETWORK_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Retries",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


@dataclass(frozen=True)
class Mirror:
    """Where packages of any release of Debian come from, and how they are known to be Debian's.

    `key` is a file that apt takes (.gpg, .asc), an armored key itself, or empty: Debian's own.
    """

    main: str
    security: str = ""
    key: str = ""
    is_trusted: bool = False  # signatures are not looked at: sources.list(5), Trusted

    def sources(self) -> list[str]:
        """Return the lines of sources.list for Debian 13."""
        suites = {SUITE: self.main, f"{SUITE}-updates": self.main}
        if self.security:
            suites[f"{SUITE}-security"] = self.security
        option = "[trusted=yes] " if self.is_trusted else ""
        return [f"deb {option}{uri} {suite} main" for suite, uri in suites.items()]

    def key_file(self, folder: Path) -> Path | None:
        """Return the file with the mirror's keys; a key that is in no file goes into `folder`."""
        if not self.key.startswith("-----BEGIN"):
            return Path(self.key) if self.key else None
        path = folder / "mirror.asc"
        path.write_text(f"{self.key}\n")
        return path


def find_mirror() -> Mirror:
    """Ask apt for its mirror of Debian.

    Raises:
        CommandError: it has none: this is no Debian machine.
    """
    words = ["apt-get", "indextargets", "--format", FORMAT, *FILTERS]
    told = commands.run_checked("apt-get indextargets", words)
    if not told.strip():
        # The origin of an archive is in what `apt-get update` fetches.
        packages.apt("update")
        told = commands.run_checked("apt-get indextargets", words)
    return read_targets(told)


def read_targets(told: str) -> Mirror:
    """Return the mirror from lines of FORMAT, which come in the order of apt's configuration."""
    archives: dict[str, tuple[str, str]] = {}
    for line in told.splitlines():
        label, uri, source = line.split("|")
        uri = _first_mirror(uri).rstrip("/")
        if uri.startswith(SCHEMES):
            archives.setdefault(label, (uri, source))
    if "Debian" not in archives:
        raise CommandError("apt knows no mirror of Debian: this needs a Debian machine")
    uri, source = archives["Debian"]
    entry = _entry(source)
    trusts = re.search(r"\btrusted\s*[=:]\s*(yes|true|on|1)\b", entry, re.IGNORECASE)
    security = archives.get("Debian-Security", ("", ""))[0]
    return Mirror(uri, security, _signed_by(entry), bool(trusts))


def _first_mirror(uri: str) -> str:
    """Return the first of a file's mirrors: cloud images name a file of addresses."""
    if not uri.startswith("mirror+file:"):
        return uri
    text = Path("/" + uri.removeprefix("mirror+file:").strip("/")).read_text()
    found = re.search(r"^\s*([a-z]+:\S+)", text, re.MULTILINE)
    return found[1] if found else uri


def _entry(source: str) -> str:
    """Return the text of FILE:NUMBER, a line of a .list or a stanza of a .sources."""
    path, _, number = source.rpartition(":")
    text = Path(path).read_text()
    if path.endswith(".list"):
        return text.splitlines()[int(number) - 1]
    text = re.sub(r"(?m)^#.*\n?", "", text).strip()
    return re.split(r"\n\s*\n", text)[int(number) - 1]


def _signed_by(entry: str) -> str:
    """Return the key that an entry names, or is; of several files the first."""
    if block := KEY_BLOCK.search(entry):
        # In a stanza each line is indented, and a lone dot is an empty line: deb822(5).
        return re.sub(r"(?m)^[ \t]*\.?[ \t]*(?=\S|$)", "", block[0])
    found = re.search(r"\bsigned-by\s*[=:]\s*(/[^],\s]+)", entry, re.IGNORECASE)
    return found[1] if found else ""


def network_settings() -> list[str]:
    """Return lines for apt.conf."""
    words = ["apt-config", "dump", "--no-empty", *NETWORK_SETTINGS]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
