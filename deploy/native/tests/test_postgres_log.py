"""A real cluster whose log has every statement: what people trust us with is not in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from native import ports, postgres, variables
from native.environment import PYTHON
from native.layout import REPOSITORY, Layout

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
        postgres.wait(layout, chosen)
        yield layout, chosen, log
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(postgres.data(layout), ignore_errors=True)


def manage(layout: Layout, chosen: ports.Ports, *words: str) -> str:
    environment = {**os.environ, **variables.service(layout, chosen, "users", {})}
    folder = REPOSITORY / "services" / "users"
    done = subprocess.run(
        [str(PYTHON), "manage.py", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_log_holds_no_password_no_hash_and_no_address(cluster: tuple[Layout, ports.Ports, Path]) -> None:
    layout, chosen, log = cluster

    postgres.make_databases(layout, chosen)
    manage(layout, chosen, "migrate", "--no-input", "--verbosity", "0")
    stored = manage(layout, chosen, "shell", "--verbosity", "0", "-c", REGISTER).splitlines()[-1]

    text = log.read_text()
    secrets = {path.name: path.read_text().strip() for path in layout.secrets.iterdir()}
    assert stored.startswith("argon2")
    assert 'INSERT INTO "account"' in text
    assert "duplicate key" in text
    told = {"address": ADDRESS, "password": PASSWORD, "hash": stored, "verifier": "SCRAM-SHA-256$", **secrets}
    assert [name for name, value in told.items() if value in text] == []
