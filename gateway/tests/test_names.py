"""UPSTREAMS=by_name: services in containers, whose addresses come and go behind a name."""

import threading
from collections.abc import Callable, Iterator

import pytest
from harness.client import assert_problem
from harness.dns import NameServer
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import Upstream

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
PRODUCTS = "/api/products/"


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture
def containers() -> Iterator[list[Upstream]]:
    """Two of products, on addresses of their own and one port."""
    first = Upstream("products", "127.0.0.2")
    both = [first, Upstream("products", "127.0.0.3", first.port)]
    yield both
    for container in both:
        container.stop()


@pytest.fixture
def start(own_gateway: StartGateway, names: NameServer, containers: list[Upstream]) -> StartGateway:
    """Starts a gateway that knows products by name only, with both containers behind it."""
    names.records["products-web"] = [container.host for container in containers]
    named = {
        "UPSTREAMS": "by_name",
        "RESOLVER": names.address,
        "PRODUCTS_UPSTREAM": f"products-web:{containers[0].port}",
    }
    return lambda **variables: own_gateway(**named | variables)


def statuses(gateway: Gateway, count: int = 20) -> set[int]:
    return {gateway.get(PRODUCTS).status for _ in range(count)}


def test_requests_are_spread_over_all_addresses(
    start: StartGateway, containers: list[Upstream]
) -> None:
    gateway = start()

    assert statuses(gateway, 40) == {200}
    assert all(container.seen for container in containers)


def test_address_that_refuses_makes_way_for_the_next(
    start: StartGateway, containers: list[Upstream]
) -> None:
    gateway = start(HOLD_SECONDS="0")
    containers[0].stop()

    assert statuses(gateway) == {200}


def test_removed_address_is_forgotten(
    start: StartGateway, names: NameServer, containers: list[Upstream]
) -> None:
    gateway = start()
    assert statuses(gateway) == {200}
    staying, leaving = containers

    names.records["products-web"] = [staying.host]

    def is_left_alone() -> bool:
        leaving.seen.clear()
        return statuses(gateway) == {200} and leaving.seen == []

    wait_until(is_left_alone, "the removed address to be forgotten", seconds=3)


def test_service_that_moves_gets_its_requests(
    start: StartGateway, names: NameServer, containers: list[Upstream]
) -> None:
    old, new = containers
    names.records["products-web"] = [old.host]
    gateway = start()
    assert statuses(gateway) == {200}
    assert new.seen == []

    old.stop()
    names.records["products-web"] = [new.host]

    assert statuses(gateway) == {200}
    assert new.seen


def test_request_waits_for_a_name_that_is_gone(
    start: StartGateway, names: NameServer, containers: list[Upstream]
) -> None:
    hosts = names.records.pop("products-web")
    gateway = start()
    answered: list[int] = []
    asking = threading.Thread(target=lambda: answered.append(gateway.get(PRODUCTS).status))

    asking.start()
    wait_until(lambda: gateway.errors().count("could not be resolved") >= 2, "two tries")
    names.records["products-web"] = hosts
    asking.join()

    assert answered == [200]


def test_unknown_name_is_503(start: StartGateway, names: NameServer) -> None:
    names.records.clear()

    assert_problem(start(HOLD_SECONDS="0").get(PRODUCTS), 503, "service_unavailable")


def test_key_set_is_fetched_by_name(
    start: StartGateway, names: NameServer, own_services: Services, signer: Signer
) -> None:
    names.records["users-web"] = [own_services.users.host]
    gateway = start(USERS_UPSTREAM=f"users-web:{own_services.users.port}")

    assert gateway.get(PRODUCTS, signer.token()).status == 200
    assert own_services.users.requests_for("/.well-known/jwks.json")
