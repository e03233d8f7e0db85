"""Where everything is: the checkout, and the state folder of one stack."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from native.errors import Cannot

REPOSITORY = Path(__file__).resolve().parents[2]
SERVICES = ("users", "products", "orders")
VENV = REPOSITORY / ".venv"
LONGEST_SOCKET_PATH = 107  # sockaddr_un, without its final NUL
OUTSIDE = Path("/var/lib")
LONGEST_SOCKET_NAME = "/gateway/verifier.sock"
#: Every program takes such a path as it stands.
PLAIN = re.compile(r"[A-Za-z0-9/._+@=,~-]+")
#: What no quoting gets past all of the programs: nginx, supervisor, the shell and PATH.
UNUSABLE = re.compile(r"[\x00-\x1f\x7f\"\\$:`]|\s[;#]")


@dataclass(frozen=True)
class Layout:
    """One stack's folder. Everything a stack writes is under `state`, but what cannot be: see `run` and postgres.py."""

    state: Path

    @property
    def digest(self) -> str:
        """Tells this stack from the others on the machine."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:10]

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def env(self) -> Path:
        return self.state / "env"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def rabbitmq(self) -> Path:
        return self.state / "rabbitmq"

    @property
    def redis(self) -> Path:
        return self.state / "redis"

    @property
    def gateway(self) -> Path:
        return self.state / "gateway"

    @property
    def metrics(self) -> Path:
        return self.state / "metrics"

    @property
    def address(self) -> Path:
        return self.state / "address"

    @property
    def supervisor_conf(self) -> Path:
        return self.state / "supervisord.conf"

    @property
    def home(self) -> Path:
        """Says where this folder is: see home.py."""
        return self.state / "home"

    @property
    def unusable(self) -> Path:
        """Says why a copy cannot be started; there only when it cannot."""
        return self.state / "unusable"

    @property
    def postgres_location(self) -> Path:
        """Says where the cluster is when it is outside of this folder."""
        return self.state / "postgres-location"

    @property
    def cluster_outside(self) -> Path | None:
        """The cluster that had to be made elsewhere: see postgres.py. A path in here was once written down too, and means nothing."""
        if not self.postgres_location.exists():
            return None
        place = Path(self.postgres_location.read_text().strip())
        return place if place.parent == OUTSIDE and place.name.startswith("souk-") else None

    @property
    def run(self) -> Path:
        """Sockets and pid files. Elsewhere when the checkout lies too deep for a socket's path, or in a folder with an odd name."""
        here = self.state / "run"
        is_short = len(os.fsencode(str(here) + LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        if is_short and PLAIN.fullmatch(str(here)):
            return here
        return Path(tempfile.gettempdir()) / f"souk-run-{os.geteuid()}-{self.digest}"

    def plain(self, folder: Path) -> Path:
        """The folder by a path that every program takes as it stands: its own, or that of a link in `run`.

        Redis takes a path with brackets for a pattern, supervisor one with a percent sign for a format, and so on.
        """
        return folder if PLAIN.fullmatch(str(folder)) else self.run / f"to-{folder.name}"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    def check(self) -> None:
        """Raises:
        Cannot: a path holds what one of the programs cannot take.
        """
        for what, path in (("checkout", REPOSITORY), ("state folder", self.state)):
            found = UNUSABLE.search(str(path))
            if found:
                raise Cannot(
                    f"the path of the {what} holds {found[0]!r}, which not every program can take: move it ({path})"
                )

    def make(self) -> None:
        """Makes the folders, where the paths will do (see `check`). Only `state` itself may be entered by others, because PostgreSQL's own user must."""
        self.check()
        self.state.mkdir(parents=True, exist_ok=True)
        private = (
            self.secrets,
            self.env,
            self.log,
            self.rabbitmq,
            self.redis,
            self.gateway,
            self.metrics,
            self.run,
        )
        for folder in private:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder.stat().st_uid != os.geteuid():
                raise PermissionError(f"{folder} belongs to somebody else")
        for folder in (self.log, self.rabbitmq, self.redis, self.gateway):
            if self.plain(folder) != folder:
                self.plain(folder).unlink(missing_ok=True)
                self.plain(folder).symlink_to(folder)


def current() -> Layout:
    """The stack of this checkout, or the one SOUK_STATE_DIR names."""
    return Layout(Path(os.environ.get("SOUK_STATE_DIR") or REPOSITORY / ".souk").resolve())


def scratch(purpose: str) -> Layout:
    """A stack of this checkout outside of it, always in the same place, so that the next run finds what a crash left."""
    checkout = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
    return Layout(Path(tempfile.gettempdir()).resolve() / f"souk-{purpose}-{os.geteuid()}-{checkout}")
