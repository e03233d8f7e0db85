"""Under load each container is restarted, killed and scaled; clients hardly notice, and nothing is
lost.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from harness import wait_until

from compose import engine, stack

pytestmark = pytest.mark.usefixtures("whole_again")
SERVICES = ("users", "products", "orders")
STATELESS = (
    "orders-web",
    "products-web",
    "users-web",
    "orders-relay",
    "orders-consumer",
    "orders-live",
    "products-relay",
    "products-consumer",
    "users-relay",
    "users-consumer",
    *(f"{name}-{process}" for name in SERVICES for process in ("worker", "beat")),
)
SERVERS = ("orders-db", "products-db", "users-db", "rabbitmq", "redis", "gateway")
#: The fault's own length: what clients did before and after it belongs to it.
AROUND_SECONDS = 3.0
FAILED_SHARE = 0.01


def process(containers, name):
    """The number, on this machine, of a container's first process."""
    return int(containers.named(name)["State"]["Pid"])


@contextmanager
def trading_around(load) -> Iterator[None]:
    """Clients order from a while before the fault until a while after it."""
    with load:
        time.sleep(AROUND_SECONDS)
        yield
        time.sleep(AROUND_SECONDS)
    print(load)
    assert load.made > 0


@pytest.mark.parametrize("name", STATELESS)
def test_restart_is_not_noticed(containers, load, name):
    with trading_around(load):
        containers.compose("restart", name)
        containers.await_well()

    assert load.failures == 0, str(load)


@pytest.mark.parametrize("name", SERVERS)
def test_restart_of_a_server_costs_no_client_anything_for_good(containers, load, name):
    with trading_around(load):
        containers.compose("restart", name)
        containers.await_well()

    assert not load.lost, str(load)


@pytest.mark.parametrize("name", [*STATELESS, *SERVERS])
def test_killed_container_comes_back(containers, load, name):
    """SIGKILL to its first process: the kernel's out-of-memory killer does the same, and Docker
    starts it again.
    """
    with trading_around(load):
        before = containers.named(name)["RestartCount"]
        os.kill(process(containers, name), signal.SIGKILL)
        wait_until(
            lambda: containers.named(name)["RestartCount"] > before,
            seconds=30,
            what=f"{name} comes back",
        )
        containers.await_well()

    assert not load.lost, str(load)
    if name in STATELESS:
        assert load.failures <= FAILED_SHARE * load.made, str(load)


@pytest.mark.parametrize("name", ["orders-web", "rabbitmq"])
def test_container_that_ops_killed_comes_back_with_up(containers, load, name):
    """`docker compose kill` counts as a stop that was wanted: Docker leaves it to ops to start it
    again.
    """
    with trading_around(load):
        containers.compose("kill", name)
        containers.up()

    assert not load.lost, str(load)
    containers.audit()


def test_books_balance_after_all_of_it(containers):
    containers.await_well()
    containers.audit()


def test_gateway_spreads_over_what_is_there_and_forgets_what_is_not(containers, shop):
    # What staff read is kept by no cache.
    staff = shop.staff()

    def asked() -> set[str]:
        """The containers that had requests lately."""
        since = f"{time.time():.0f}"
        for _ in range(60):
            assert shop.call("GET", "/api/products/?page_size=1", staff).status_code == 200
        said = engine.output("logs", "--since", since, "--no-log-prefix", "gateway")
        return {
            line.split('"upstream":"')[1].split('"')[0]
            for line in said.splitlines()
            if '"service":"products"' in line
        }

    stack.scale("products", "web", 3)
    try:
        wait_until(lambda: len(asked()) == 3, seconds=10, what="three containers are asked")
    finally:
        stack.scale("products", "web", 1)
    wait_until(lambda: len(asked()) == 1, seconds=10, what="one container is asked")
