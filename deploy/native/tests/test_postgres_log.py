"""A real cluster whose log has every statement: what people trust us with is not in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from native import ports, postgres, variables
from native.layout import Layout
from souk import commands
from souk.checkout import PYTHON, REPOSITORY
from souk.console import wait_until

ADDRESS = "victim@example.org"
PASSWORD = "correct horse battery staple"
# The second registration is refused, and PostgreSQL would quote the address in the reason.
REGISTER = f"""
from users import errors
from users.services import accounts
account = accounts.register(email="{ADDRESS}", password="{PASSWORD}", name="Vic")
try:
    accounts.register(email="{ADDRESS}", password="{PASSWORD}")
except errors.EmailTaken:
    print(account.password)
"""


@pytest.fixture
def cluster(layout: Layout) -> Iterator[tuple[Layout, ports.Ports, Path]]:
    """A running cluster with the stack's configuration; only the threshold of its log is lower."""
    chosen = ports.choose(layout, {"GATEWAY_PORT": "0"})
    postgres.prepare(layout, chosen, forgetful=False)
    log = layout.log / "postgres.log"
    command = [*postgres.command(layout), "-c", "log_min_duration_statement=0", "-c", "fsync=off"]
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            stderr=file,
            **postgres.identity(),
            cwd="/",
        )
    try:
        wait_until(lambda: postgres.answers(layout, chosen), 60, "PostgreSQL does not answer")
        yield layout, chosen, log
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(postgres.data(layout), ignore_errors=True)


def run_as_users(layout: Layout, chosen: ports.Ports, command: list[str | Path]) -> str:
    """Run a command as the one-shot container of users has it."""
    own = variables.one_shot(layout, chosen, "users-migrate")
    search = {"PATH": f"{PYTHON.parent}:{os.environ['PATH']}"}
    folder = REPOSITORY / "services" / "users"
    return commands.run_checked(command[0], command, folder=folder, variables=own | search)


def test_log_holds_no_password_no_hash_and_no_address(
    cluster: tuple[Layout, ports.Ports, Path],
) -> None:
    layout, chosen, log = cluster

    run_as_users(layout, chosen, [REPOSITORY / "deploy" / "image" / "run", "migrate"])
    shell = [PYTHON, "manage.py", "shell", "--verbosity", "0", "-c", REGISTER]
    stored = run_as_users(layout, chosen, shell).splitlines()[-1]

    text = log.read_text()
    secrets = {path.name: path.read_text().strip() for path in layout.secrets.iterdir()}
    assert stored.startswith("argon2")
    assert 'INSERT INTO "account"' in text
    assert "duplicate key" in text
    told = {
        "address": ADDRESS,
        "password": PASSWORD,
        "hash": stored,
        "verifier": "SCRAM-SHA-256$",
        **secrets,
    }
    assert [name for name, value in told.items() if value in text] == []
