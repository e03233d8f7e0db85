"""pytest plugin: real PostgreSQL, and for each test that asks for it a virtual host of RabbitMQ.

The virtual host holds Souk's topology. The servers are those of `make test` (or
`. <(python3 deploy/souk test-env)`), named by TEST_DATABASE_URL, TEST_BROKER_URL and
TEST_BROKER_ADMIN_URL.
"""

import dataclasses
import json
import os
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from django.conf import settings as django_settings
from django.db import connections

from servicekit.messaging.broker_definitions import topology_definitions
from servicekit.messaging.topology import Topology
from servicekit.testing import tables
from servicekit.testing.waiting import wait_until

# Before any settings are read: they take the servers of the service under test from here.
for name, value in {
    "SECRET_KEY": "for tests only, not a secret",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
    "BROKER_URL": os.environ.get("TEST_BROKER_URL", "amqp://nobody@127.0.0.1:1/none"),
    "JOBS_BROKER_URL": os.environ.get("TEST_BROKER_URL", "amqp://nobody@127.0.0.1:1/none"),
    # Nothing is kept from test to test; a test of the cache sets CACHES for itself.
    "REDIS_URL": "",
    "JWKS_URL": "http://127.0.0.1:1/.well-known/jwks.json",
    "PRODUCTS_URL": "http://127.0.0.1:1",
    "KEY_ENCRYPTION_KEY": "c291ayB0ZXN0cyBvbmx5LCBub3QgYSBzZWNyZXQhISE=",
    "WEB_THREADS": "24",
}.items():
    os.environ.setdefault(name, value)

SetKit = Callable[..., None]
TOPOLOGY_FILE = Path(__file__).parents[4] / "deploy" / "topology.json"
# RabbitMQ 4.0 sometimes takes more than 30 s to delete a virtual host with many quorum queues.
ANSWER_SECONDS = 120
SERVERS = ("TEST_DATABASE_URL", "TEST_BROKER_URL", "TEST_BROKER_ADMIN_URL")


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in SERVERS if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(
            f"{', '.join(missing)} not set. Run `make test`, or `. <(python3 deploy/souk"
            " test-env)`."
        )
    # Each run has a database of its own, so that two runs at once do not disturb each other. It is
    # set here because a fixture of ours would not override that of pytest-django.
    default = django_settings.DATABASES["default"]
    default.setdefault("TEST", {})["NAME"] = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    tables.replace_flush()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates, which a test may have logged: a worker of xdist sends its reports in
    UTF-8, ends where it cannot, and all else of its tests is lost.
    """
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_encodable(name): _encodable(each) for name, each in value.items()}
        case list() | tuple():
            return type(value)(map(_encodable, value))
    return value


class BrokerAdmin:
    """The management API of the test broker, for what a service itself may not do."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._base = urlunsplit((parts.scheme, f"{parts.hostname}:{parts.port}", "/api", "", ""))
        self._session = requests.Session()
        self._session.auth = (parts.username or "", parts.password or "")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API; return the decoded answer, or None."""
        answer = self._session.request(method, self._base + path, json=body, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture(autouse=True)
def no_connection_of_earlier_tests(request: pytest.FixtureRequest) -> None:
    """A test without a database begins without a connection: Django looks at one that is open, and
    pytest-django refuses. Which tests a process ran before differs from run to run.
    """
    uses_database = request.node.get_closest_marker("django_db") or request.cls is not None
    if not uses_database and not {"db", "transactional_db"} & set(request.fixturenames):
        connections.close_all()


@pytest.fixture(scope="session")
def broker_admin() -> BrokerAdmin:
    return BrokerAdmin(os.environ["TEST_BROKER_ADMIN_URL"])


@pytest.fixture(scope="session")
def topology() -> Topology:
    return Topology.load(TOPOLOGY_FILE)


@pytest.fixture
def vhost(broker_admin: BrokerAdmin) -> Iterator[str]:
    """An empty virtual host, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    user = urlsplit(os.environ["TEST_BROKER_URL"]).username
    broker_admin.call("PUT", f"/vhosts/{name}")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    broker_admin.call("PUT", f"/permissions/{name}/{user}", everything)
    yield name
    broker_admin.call("DELETE", f"/vhosts/{name}")


@pytest.fixture
def set_kit(settings: Any) -> SetKit:
    """Changes fields of settings.SERVICEKIT for the length of the test."""

    def change(**fields: Any) -> None:
        settings.SERVICEKIT = dataclasses.replace(settings.SERVICEKIT, **fields)

    return change


@pytest.fixture
def broker_url(vhost: str, broker_admin: BrokerAdmin, topology: Topology, set_kit: SetKit) -> str:
    """The AMQP address of a virtual host with the whole topology, which the kit's settings name,
    too.
    """
    definitions = topology_definitions(topology)
    broker_admin.call("POST", f"/definitions/{vhost}", json.loads(json.dumps(definitions)))
    wait_until(
        lambda: len(broker_admin.call("GET", f"/queues/{vhost}")) == len(definitions["queues"])
    )
    parts = urlsplit(os.environ["TEST_BROKER_URL"])
    url = urlunsplit((parts.scheme, parts.netloc, f"/{vhost}", "", ""))
    set_kit(broker_url=url)
    return url


@pytest.fixture
def test_keys(set_kit: SetKit) -> Iterator[None]:
    """Trust the tokens of servicekit.testing.tokens, and forget what earlier tests verified."""
    from servicekit.auth import jwks, revocations, tokens

    set_kit(token_keys="servicekit.testing.tokens.jwks")
    for forget in (jwks.forget, tokens.forget_verified, revocations.forget):
        forget()
    yield
    for forget in (jwks.forget, tokens.forget_verified, revocations.forget):
        forget()


def _caller(*roles: str) -> Any:
    from servicekit.testing.client import Caller

    return Caller(*roles)


@pytest.fixture
def customer(test_keys: None) -> Any:
    """A servicekit.testing.client.Caller with a customer's token."""
    return _caller("customer")


@pytest.fixture
def stranger(test_keys: None) -> Any:
    """Another customer."""
    return _caller("customer")


@pytest.fixture
def staff(test_keys: None) -> Any:
    """A member of the shop's staff, who may do everything."""
    return _caller("customer", "staff", "admin")


@pytest.fixture
def machine(test_keys: None) -> Any:
    """A machine client whose scope opens nothing."""
    from servicekit.testing.client import Caller

    return Caller.machine()


@pytest.fixture
def nobody(test_keys: None) -> Any:
    """A caller without a token."""
    return _caller()
