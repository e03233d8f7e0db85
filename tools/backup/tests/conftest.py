"""A shop of which only the databases run: real ones, with the tables that a backup looks into."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from native import ports, postgres
from native.layout import Layout
from native.runtime import NativeRuntime
from souk import sql
from souk.checkout import SERVICES
from souk.console import wait_until

TABLES = """
DROP TABLE IF EXISTS inbox, outbox, dead_letter, django_migrations;
CREATE TABLE django_migrations (id serial, app text, name text);
CREATE TABLE inbox (queue text, event_id uuid, PRIMARY KEY (queue, event_id));
CREATE TABLE outbox (
    id uuid PRIMARY KEY, type text, sent_at timestamptz, attempts int DEFAULT 3,
    not_before timestamptz DEFAULT now());
CREATE TABLE dead_letter (
    id serial PRIMARY KEY, queue text, event_id uuid, state text DEFAULT 'waiting');
"""

Connect = Callable[[str], psycopg.Connection]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A state folder in which nothing has run yet."""
    layout = Layout(tmp_path / "state")
    layout.make()
    yield layout
    NativeRuntime(layout).reset()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeRuntime]:
    folder = tmp_path_factory.mktemp("cluster")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL's own user must pass
    layout = Layout(folder / "state")
    layout.make()
    chosen = ports.choose(layout, {"GATEWAY_PORT": "0"})
    postgres.prepare(layout, chosen, forgetful=True)
    runtime, command = NativeRuntime(layout), postgres.command(layout)
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd="/", **postgres.identity()
    ) as server:
        wait_until(lambda: postgres.answers(layout, chosen), 60, "PostgreSQL does not answer")
        for service in SERVICES:
            sql.make_database(runtime.client(service), service)
        yield runtime
        server.terminate()
    runtime.reset()


@pytest.fixture
def shop(cluster: NativeRuntime) -> NativeRuntime:
    """The tables are there, and empty."""
    for service in SERVICES:
        sql.run_script(cluster.client(service), service, TABLES)
    return cluster


@pytest.fixture
def connect(shop: NativeRuntime) -> Connect:
    """Opens a connection to a service's database, for the superuser."""

    def open_connection(service: str) -> psycopg.Connection:
        login = f"postgres:{shop.layout.secret('postgres-postgres')}"
        port = ports.recorded(shop.layout)["postgres"]
        return psycopg.connect(f"postgres://{login}@127.0.0.1:{port}/{service}", autocommit=True)

    return open_connection
