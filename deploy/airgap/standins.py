"""The stand-ins: which there are, and the official images that they stand in for."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from souk.console import CommandError

FOLDER = Path(__file__).resolve().parent / "images"


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


# Each Dockerfile checks that Debian's package is of this version, so that no tag lies.
ALL = (
    StandIn("postgres", "17", "POSTGRES_IMAGE"),
    StandIn("rabbitmq", "4.0", "RABBITMQ_IMAGE"),
    StandIn("python", "3.13", "PYTHON_IMAGE"),
    StandIn("nginx", "1.26", "NGINX_IMAGE"),
    StandIn("redis", "8.0", "REDIS_IMAGE"),
)
NAMES = tuple(image.name for image in ALL)


def chosen(names: Iterable[str]) -> list[StandIn]:
    """Return those named, or all.

    Raises:
        CommandError: there is none of that name.
    """
    wanted = set(names) or set(NAMES)
    if unknown := wanted.difference(NAMES):
        known = ", ".join(NAMES)
        raise CommandError(f"there is no stand-in {', '.join(sorted(unknown))}; there are {known}")
    return [image for image in ALL if image.name in wanted]
