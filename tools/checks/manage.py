"""manage.py commands that read and write the code, and need no server."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from native import variables
from native.layout import Layout
from native.ports import NAMES
from souk import commands
from souk.checkout import PYTHON, REPOSITORY, VENV


@contextmanager
def made_up() -> Iterator[Layout]:
    """Give a stack in which nothing ever runs: what a service must have, for as long as needed."""
    with tempfile.TemporaryDirectory(prefix="souk-checks-") as folder:
        layout = Layout(Path(folder).resolve())
        layout.make()
        yield layout


def run(layout: Layout, service: str, *words: str) -> str:
    """Run a manage.py command of a service and return what it printed.

    Raises:
        CommandError: it failed; says why.
    """
    return commands.run_checked(
        f"{service}: manage.py {words[0]}",
        # Django warns that no database answers.
        [PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", *words],
        folder=REPOSITORY / "services" / service,
        variables={
            **variables.service(layout, dict.fromkeys(NAMES, 1), service, {}),
            "PATH": f"{VENV / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        },
    )


def make_migrations(service: str, name: str) -> None:
    """Write the migrations that a service's models ask for, and say which."""
    options = ("--name", name) if name else ()
    with made_up() as layout:
        print(run(layout, service, "makemigrations", *options).strip())
