"""This machine's apt configuration: which mirror of Debian it uses, and whose signatures it trusts
(sources.list(5)).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from souk.console import CommandError

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
SCHEMES = ("http:", "https:", "file:")
# Which names a release of Debian goes by, besides its own.
ALIASES = frozenset({"stable", "oldstable", "testing"})


@dataclass(frozen=True)
class Archive:
    """One address of an entry; an entry with two addresses is two of these."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...] = ()
    signed_by: str = ""  # paths, fingerprints or a key itself
    trusted: bool = False  # signatures are not looked at


@dataclass(frozen=True)
class Mirror:
    """Where packages of any release of Debian come from."""

    main: Archive
    security: Archive | None = None


def archives(folder: Path = APT) -> list[Archive]:
    """Every enabled archive of binary packages, in apt's order."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: list[Archive] = []
    for path in files:
        if path.suffix in PARSERS and path.is_file():
            found += PARSERS[path.suffix](path.read_text())
    return found


def parse_lines(text: str) -> list[Archive]:
    """The one-line style: deb [signed-by=/a.gpg] https://mirror.example/debian bookworm main"""
    found = []
    for line in text.splitlines():
        entry = re.fullmatch(
            r"deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)(.*)", line.partition("#")[0].strip()
        )
        if not entry:
            continue
        words, uri, suite, components = entry.groups(default="")
        pairs = (word.partition("=") for word in words.split())
        options = {name.lower(): value for name, _, value in pairs}
        found.append(_archive(uri, [suite], components.split(), options))
    return found


def parse_stanzas(text: str) -> list[Archive]:
    """The deb822 style: paragraphs of fields."""
    found = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(paragraph)
        if "deb" not in fields.get("types", "").split() or not _yes(fields.get("enabled", "yes")):
            continue
        for uri in fields.get("uris", "").split():
            suites, components = (
                fields.get("suites", "").split(),
                fields.get("components", "").split(),
            )
            found.append(_archive(uri, suites, components, fields))
    return found


PARSERS = {".list": parse_lines, ".sources": parse_stanzas}


def _fields(paragraph: str) -> dict[str, str]:
    """Names in small letters.

    A value may go on in lines that begin with a space, where a lone dot is an empty line.
    """
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1].isspace():
            more = line.strip()
            fields[name] = f"{fields.get(name, '')}\n{'' if more == '.' else more}"
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return {name: value.strip() for name, value in fields.items()}


def _archive(
    uri: str, suites: Iterable[str], components: Iterable[str], options: dict[str, str]
) -> Archive:
    return Archive(
        uri=_resolved(uri).rstrip("/"),
        suites=tuple(suite.rstrip("/") for suite in suites),
        components=tuple(components),
        signed_by=options.get("signed-by", ""),
        trusted=_yes(options.get("trusted", "no")),
    )


def _yes(word: str) -> bool:
    return word.lower() in {"yes", "true", "on", "1", "with", "enable"}


def _resolved(uri: str) -> str:
    """Cloud images name a file with mirrors, one a line: the first one counts."""
    if not uri.startswith("mirror+file:"):
        return uri
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    lines = path.read_text().splitlines() if path.is_file() else []
    named = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return named[0] if named else uri


def release(path: Path = OS_RELEASE) -> str:
    """The code name of the Debian that runs here.

    Raises:
        CommandError: it is something else, whose mirrors have no packages of Debian.
    """
    lines = path.read_text().splitlines() if path.is_file() else []
    fields = {
        name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)
    }
    if fields.get("ID") != "debian":
        raise CommandError("this needs a Debian machine, whose mirror the packages come from")
    return fields.get("VERSION_CODENAME", "sid")


def mirror(found: list[Archive], codename: str) -> Mirror:
    """Picks Debian's own archive from the configured ones, which others (Docker's, Node's …) may
    precede.

    Raises:
        CommandError: there is none.
    """
    names = {codename, *ALIASES, *({"sid", "unstable"} if codename == "sid" else ())}
    usable = [one for one in found if "main" in one.components and one.uri.startswith(SCHEMES)]
    main = [one for one in usable if names.intersection(one.suites)]
    if not main:
        raise CommandError(
            f"apt's configuration names no archive of Debian {codename}, component main"
        )
    safe = {f"{name}-security" for name in names}
    security = [one for one in usable if safe.intersection(one.suites)]
    return Mirror(max(main, key=_likeness), max(security, key=_likeness, default=None))


def _likeness(archive: Archive) -> int:
    """How much an archive looks like Debian's own; others also have a suite `bookworm` with a
    component `main`.
    """
    by_key = "debian-archive" in archive.signed_by
    by_path = archive.uri.rpartition("/")[2] in {"debian", "debian-security"}
    return 2 * by_key + by_path
