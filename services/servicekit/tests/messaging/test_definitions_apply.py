"""The topology is given to a real broker through its management interface."""

import os
import uuid
from urllib.parse import urlsplit

import pytest
import requests

from servicekit.messaging.broker_definitions import (
    apply,
    full_definitions,
    passwords_of_environment,
)
from servicekit.messaging.topology import Topology
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
