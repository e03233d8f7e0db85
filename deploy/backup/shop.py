"""What backup and restore need of a runtime; native_shop.py and compose_shop.py have it."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


def major(version: str) -> int:
    """Return 17 for "pg_restore (PostgreSQL) 17.6 (Debian …)"."""
    return int(re.findall(r"\(PostgreSQL\) (\d+)", version)[0])


@dataclass(frozen=True)
class Client:
    """How PostgreSQL's programs reach one service's server: words before the program's own, and variables."""

    before: tuple[str, ...]
    options: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Where the programs are; empty: on the path.
    folder: str = ""

    def command(self, program: str, *words: str) -> list[str]:
        return [*self.before, f"{self.folder}{program}", *self.options, *words]


class Shop(Protocol):
    """One shop of one runtime."""

    name: str

    def is_running(self) -> bool: ...

    def has_data(self) -> bool: ...

    def postgresql_major(self) -> int:
        """The version of the server that a restore would fill; the shop may be down."""

    def client(self, service: str) -> Client: ...

    def secrets(self) -> dict[str, str]:
        """Everything without which the data cannot be used."""

    def erase(self) -> None:
        """Delete data, messages and secrets."""

    def put_secrets(self, secrets: Mapping[str, str]) -> None: ...

    def empty_databases(self) -> AbstractContextManager[None]:
        """Let the databases, and nothing else, run for the block; each is there and empty."""

    def up(self) -> None: ...

    def audit(self) -> int:
        """Run the audit, its output ours; return its exit code."""
