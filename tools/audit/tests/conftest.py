"""Three databases with the services' own tables, and a virtual host, made for this run and dropped
after it.
"""

import os
import secrets
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest
from world import World

from audit.sources import SERVICES, Broker, Database, Sources, subscriptions_of
from native import variables
from native.layout import Layout
from native.ports import NAMES
from shopper.ops import ROOT


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.exit(
            f"{name} is not set: run `make test`, or `. <(python3 deploy/souk test-env)`",
            returncode=2,
        )
    return value


@pytest.fixture(scope="session")
def suffix() -> str:
    return secrets.token_hex(4)


@pytest.fixture(scope="session")
def database_urls(
    suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The migrated, empty databases of the three services."""
    server = _needed("TEST_DATABASE_URL")
    layout = Layout(tmp_path_factory.mktemp("stack"))
    layout.make()
    urls = {}
    with psycopg.connect(server, autocommit=True) as admin:
        for service in SERVICES:
            name = f"test_audit_{service}_{suffix}"
            admin.execute(f'CREATE DATABASE "{name}"')
            urls[service] = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
            _migrate(layout, service, urls[service])
        yield urls
        for service in SERVICES:
            admin.execute(f'DROP DATABASE "test_audit_{service}_{suffix}" WITH (FORCE)')


def _migrate(layout: Layout, service: str, url: str) -> None:
    settings = variables.service(layout, dict.fromkeys(NAMES, 1), service, {}) | {
        "DATABASE_URL": url
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT / "services" / service,
        env={**os.environ, **settings},
        check=True,
    )


@pytest.fixture(scope="session")
def broker(suffix: str) -> Iterator[Broker]:
    """A virtual host of our own, without queues."""
    url, vhost = _needed("TEST_BROKER_ADMIN_URL"), f"audit-{suffix}"
    _manage(url, "PUT", f"/api/vhosts/{vhost}")
    yield Broker(url, vhost)
    _manage(url, "DELETE", f"/api/vhosts/{vhost}")


def _manage(url: str, method: str, path: str) -> None:
    parts = urlsplit(url)
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = {
        "Authorization": "Basic " + b64encode(credentials.encode()).decode(),
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(
        f"http://{parts.hostname}:{parts.port}{path}", data=b"{}", method=method, headers=headers
    )
    urllib.request.urlopen(request, timeout=30).close()


class OpenDatabase(Database):
    """A database as the test's own open transaction sees it: what a test breaks is rolled back,
    never committed.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def snapshot(self) -> None:
        """The transaction is the snapshot."""


@pytest.fixture
def world(database_urls: dict[str, str]) -> Iterator[World]:
    connections = {service: psycopg.connect(url) for service, url in database_urls.items()}
    world = World(**connections)
    world.build()
    yield world
    for connection in connections.values():
        connection.rollback()
        connection.close()


@pytest.fixture
def sources(world: World, broker: Broker) -> Sources:
    databases = {service: OpenDatabase(world.of(service)) for service in SERVICES}
    topology: Path = ROOT / "deploy" / "topology.json"
    return Sources(
        **databases, broker=broker, subscriptions=subscriptions_of(topology), settle_seconds=1.5
    )
