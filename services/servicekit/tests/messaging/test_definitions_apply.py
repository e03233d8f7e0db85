"""The topology is given to a real broker through its management interface, and with it the rights
of each service.

Users are the broker's own, not a virtual host's: what makes those of the shop is in this file
alone, which one process runs.
"""

import os
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import amqp
import kombu
import pytest
import requests

from servicekit.messaging.broker_definitions import (
    apply,
    full_definitions,
    passwords_of_environment,
)
from servicekit.messaging.connection import connect
from servicekit.messaging.topology import Topology, return_bindings
from servicekit.testing.waiting import wait_until

ADMIN_URL = os.environ.get("TEST_BROKER_ADMIN_URL", "")


@pytest.fixture
def vhost_to_be(broker_admin):
    """A virtual host, and users, that the definitions make; gone afterwards."""
    name = f"applied-{uuid.uuid4().hex[:8]}"
    yield name
    broker_admin.call("DELETE", f"/vhosts/{name}")
    for user in ("users", "products", "orders"):
        broker_admin.call("DELETE", f"/users/{user}")
        broker_admin.call("DELETE", f"/vhosts/{user}-jobs")


def definitions(topology: Topology, vhost: str, password: str):
    """Without the admin, who is the test's own way in."""
    admin = urlsplit(ADMIN_URL).password or ""
    passwords = {**dict.fromkeys(topology.queues, password), "admin": admin}
    return full_definitions(topology, passwords, vhost)


def test_definitions_are_applied_any_number_of_times(broker_admin, topology, vhost_to_be):
    wanted = definitions(topology, vhost_to_be, "first")

    apply(wanted, ADMIN_URL, wait_seconds=5)
    apply(definitions(topology, vhost_to_be, "second"), ADMIN_URL, wait_seconds=5)

    wait_until(
        lambda: len(broker_admin.call("GET", f"/queues/{vhost_to_be}")) == len(wanted["queues"])
    )
    users = {user["name"] for user in broker_admin.call("GET", "/users")}
    assert {"users", "products", "orders"} <= users
    # An installation that had no jobs in a service gets their virtual host at the next start.
    vhosts = {vhost["name"] for vhost in broker_admin.call("GET", "/vhosts")}
    assert {"users-jobs", "products-jobs", "orders-jobs"} <= vhosts


def test_wrong_password_is_said_at_once(topology, vhost_to_be, broker_admin):
    broker_admin.call("PUT", f"/vhosts/{vhost_to_be}")
    for user in ("users", "products", "orders"):
        broker_admin.call("PUT", f"/users/{user}", {"password": "x", "tags": ""})
        broker_admin.call("PUT", f"/vhosts/{user}-jobs")
    parts = urlsplit(ADMIN_URL)
    wrong = f"http://{parts.username}:wrong@{parts.hostname}:{parts.port}"

    with pytest.raises(requests.HTTPError, match="401"):
        apply(definitions(topology, vhost_to_be, "x"), wrong, wait_seconds=60)


def test_broker_that_stays_away_is_given_up(topology):
    with pytest.raises(requests.ConnectionError, match="does not answer"):
        apply(definitions(topology, "none", "x"), "http://admin:x@127.0.0.1:1", wait_seconds=0.2)


def test_passwords_come_from_the_environment(topology, monkeypatch, tmp_path):
    for user in ("users", "products", "admin"):
        monkeypatch.setenv(f"BROKER_PASSWORD_{user.upper()}", f"of {user}")
    (tmp_path / "secret").write_text("of orders\n")
    monkeypatch.setenv("BROKER_PASSWORD_ORDERS_FILE", str(tmp_path / "secret"))

    assert passwords_of_environment(topology) == {
        name: f"of {name}" for name in (*topology.queues, "admin")
    }


@pytest.fixture
def as_service(
    broker_admin: Any, topology: Topology, vhost_to_be: str
) -> Callable[[str], kombu.Connection]:
    """Return a function: the connection of a service with its real rights."""
    apply(definitions(topology, vhost_to_be, "secret"), ADMIN_URL, wait_seconds=5)
    parts = urlsplit(os.environ["TEST_BROKER_URL"])

    def connected(service: str) -> kombu.Connection:
        netloc = f"{service}:secret@{parts.hostname}:{parts.port}"
        return connect(urlunsplit((parts.scheme, netloc, f"/{vhost_to_be}", "", "")))

    return connected


def test_service_may_bind_what_the_topology_says(as_service: Any, topology: Topology) -> None:
    for service, queues in topology.queues.items():
        with as_service(service) as connection:
            channel = connection.channel()
            for exchange, queue, key in topology.bindings():
                if queue in queues:
                    channel.queue_bind(queue, exchange, key)
            for exchange, queue, key in return_bindings(service, list(queues)) if queues else []:
                channel.queue_bind(queue, exchange, key)


@pytest.mark.parametrize(
    ("queue", "exchange", "key"),
    [
        ("products.users", "users.events", "users.user_registered.v1"),
        ("products.users", "users.events", "#"),
        ("products.users", "orders.events", "orders.order_rejected.v1"),
        ("products.users", "orders.redrive", "products.users"),
        ("products.users", "products.events", "products.stock_reserved.v1"),
        ("orders.users", "users.events", "users.user_sessions_revoked.v1"),
        ("orders.stock", "products.events", "products.stock_reserved.v1"),
        ("unsubscribed", "users.events", "users.user_sessions_revoked.v1"),
    ],
)
def test_service_may_bind_nothing_else(
    as_service: Any, queue: str, exchange: str, key: str
) -> None:
    with as_service("products") as connection, pytest.raises(amqp.AccessRefused):
        connection.channel().queue_bind(queue, exchange, key)


@pytest.mark.parametrize("exchange", ["users.events", "orders.events", ""])
def test_service_may_publish_to_its_own_exchange_only(as_service: Any, exchange: str) -> None:
    with as_service("products") as connection:
        channel = connection.channel()
        channel.confirm_select()
        with pytest.raises(amqp.AccessRefused):
            channel.basic_publish_confirm(
                amqp.Message(b"{}"), exchange, "products.users", timeout=5
            )
