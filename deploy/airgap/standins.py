"""Which stand-ins there are, what each is made of, and which must be built anew."""

import hashlib
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from souk.console import CommandError

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "images"
# An image's label: what it was made of.
LABEL = "org.souk.airgap.inputs"


@dataclass(frozen=True)
class StandIn:
    """In place of an official image, in the variable that compose.yaml takes its name from."""

    name: str
    version: str
    variable: str

    @property
    def tag(self) -> str:
        return f"souk-airgap/{self.name}:{self.version}"

    @property
    def folder(self) -> Path:
        return FOLDER / self.name


BASE = StandIn("base", "trixie", "")
# Each Dockerfile checks that Debian's package is of this version, so that no tag lies.
ALL = (
    StandIn("postgres", "17", "POSTGRES_IMAGE"),
    StandIn("rabbitmq", "4.0", "RABBITMQ_IMAGE"),
    StandIn("python", "3.13", "PYTHON_IMAGE"),
    StandIn("nginx", "1.26", "NGINX_IMAGE"),
    StandIn("redis", "8.0", "REDIS_IMAGE"),
)
NAMES = tuple(one.name for one in ALL)


def chosen(names: Iterable[str]) -> list[StandIn]:
    """Those named, or all.

    Raises:
        CommandError: there is none of that name.
    """
    wanted = set(names) or set(NAMES)
    if unknown := wanted.difference(NAMES):
        raise CommandError(
            f"there is no stand-in {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}"
        )
    return [one for one in ALL if one.name in wanted]


def base_digest(mirror: str) -> str:
    """What the base is made of: its files, how they are used, and the mirror."""
    return digest([BASE.folder, HERE / "base.py"], mirror)


def image_digest(one: StandIn, base: str) -> str:
    """What a stand-in is made of: its files, its version and its base."""
    return digest([one.folder], one.version, base)


def digest(roots: Iterable[Path], *words: str) -> str:
    """Of the files' places below their root, contents and executable bits, and of the words."""
    found = hashlib.sha256()
    for root in roots:
        files = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else [root]
        for path in sorted(files):
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{path.relative_to(root.parent)} {executable} {content}\n".encode())
    for word in words:
        found.update(f"{hashlib.sha256(word.encode()).hexdigest()}\n".encode())
    return found.hexdigest()


def stale(
    wanted: Mapping[str, str], present: Mapping[str, str], *, force: bool = False
) -> list[str]:
    """The tags to build: those whose image is missing, or was made of something else."""
    return [tag for tag, inputs in wanted.items() if force or present.get(tag) != inputs]
