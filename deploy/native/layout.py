"""Where everything of one native stack is: its state folder."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import Template

from souk.checkout import REPOSITORY
from souk.console import CommandError
from souk.files import random_token, write_file

LONGEST_SOCKET_PATH = 107  # sockaddr_un, without its final NUL
LONGEST_SOCKET_NAME = "/gateway/verifier.sock"
TEMPLATES = Path(__file__).parent / "templates"
#: Where a cluster lies whose state folder PostgreSQL's user may not enter: see postgres.py.
OUTSIDE = Path("/var/lib")
#: Every program takes such a path as it stands.
PLAIN = re.compile(r"[A-Za-z0-9/._+@=,~-]+")
#: What no quoting gets past all of the programs: nginx, supervisor, the shell and PATH.
UNUSABLE = re.compile(r"[\x00-\x1f\x7f\"\\$:`]|\s[;#]")


class Layout:
    """One stack's folder. What cannot lie under `state` is in `run` and `cluster_outside`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.secrets = state / "secrets"
        self.env = state / "env"
        self.log = state / "log"
        self.rabbitmq = state / "rabbitmq"
        self.redis = state / "redis"
        self.gateway = state / "gateway"
        self.metrics = state / "metrics"
        self.media = state / "media"
        self.address = state / "address"
        self.supervisor_conf = state / "supervisord.conf"
        #: says where this folder is: see home.py
        self.home = state / "home"
        #: says why a copy cannot be started; there only when it cannot
        self.unusable = state / "unusable"
        #: says where the cluster is when it is outside of this folder
        self.postgres_location = state / "postgres-location"
        #: tells this stack from the others on the machine
        self.digest = hashlib.sha256(str(state).encode()).hexdigest()[:10]
        self.run = self._run_folder()
        self.supervisor_socket = self.run / "supervisor.sock"

    def _run_folder(self) -> Path:
        """Sockets and pid files: elsewhere where the path is too long for a socket, or is odd."""
        here = self.state / "run"
        is_short = len(os.fsencode(str(here) + LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        if is_short and PLAIN.fullmatch(str(here)):
            return here
        return Path(tempfile.gettempdir()) / f"souk-run-{os.geteuid()}-{self.digest}"

    @property
    def cluster_outside(self) -> Path | None:
        """The cluster that had to be made elsewhere.

        Older versions noted a path in the state folder too, which means nothing.
        """
        if not self.postgres_location.exists():
            return None
        place = Path(self.postgres_location.read_text().strip())
        return place if place.parent == OUTSIDE and place.name.startswith("souk-") else None

    def secret(self, name: str, make: Callable[[], str] = random_token) -> str:
        """Return the stack's secret of that name; made when first asked for, never printed."""
        path = self.secrets / name
        if not path.exists():
            write_file(path, make() + "\n")
        return path.read_text().strip()

    def plain(self, folder: Path) -> Path:
        """Return the folder by a path that every program takes: its own, or a link in `run`.

        Redis takes a path with brackets for a pattern, supervisor a path with a percent sign for a
        format, and so on (docs/adr/0071-paths-of-any-name.md).
        """
        return folder if PLAIN.fullmatch(str(folder)) else self.run / f"to-{folder.name}"

    def check(self) -> None:
        """Refuse a path that not every program can take, by the character."""
        for what, path in (("checkout", REPOSITORY), ("state folder", self.state)):
            found = UNUSABLE.search(str(path))
            if found:
                raise CommandError(
                    f"the path of the {what} holds {found[0]!r}, which not every program can take:"
                    f" move it ({path})"
                )

    def make(self) -> None:
        """Make the folders. Only `state` may be entered by others: PostgreSQL's user must."""
        self.check()
        self.state.mkdir(parents=True, exist_ok=True)
        programs = (self.log, self.rabbitmq, self.redis, self.gateway, self.media)
        for folder in (self.secrets, self.env, self.metrics, self.run, *programs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder.stat().st_uid != os.geteuid():
                raise CommandError(f"{folder} belongs to somebody else")
        for folder in programs:
            if self.plain(folder) != folder:
                self.plain(folder).unlink(missing_ok=True)
                self.plain(folder).symlink_to(folder)


def fill_template(name: str, /, **values: object) -> str:
    """Return a file of deploy/native/templates with its $names filled in."""
    return Template((TEMPLATES / name).read_text()).substitute(values)


def current() -> Layout:
    """Return the stack of this checkout, or the stack that SOUK_STATE_DIR names."""
    return Layout(Path(os.environ.get("SOUK_STATE_DIR") or REPOSITORY / ".souk").resolve())


def scratch(purpose: str) -> Layout:
    """Return a stack of this checkout outside of it.

    It is always in the same place, so that the next run finds what a crash left.
    """
    checkout = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
    folder = f"souk-{purpose}-{os.geteuid()}-{checkout}"
    return Layout(Path(tempfile.gettempdir()).resolve() / folder)
