"""What a service that is away costs: little memory for each request that waits for it, and nothing
of its neighbours.
"""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from harness.client import assert_problem
from harness.nginx import Gateway, Services, wait_until

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
ORDERS, PRODUCTS = "/api/orders/", "/api/products/"
ASK = b"GET /api/products/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HELD = 300
MOST_KIB = 32


class Crowded(Gateway):
    """Lets a service have three requests at once, not a thousand."""

    def render(self) -> None:
        super().render()
        guard = self.directory / "guard.conf"
        text = guard.read_text()
        assert "limit_conn services 1000;" in text
        guard.write_text(text.replace("limit_conn services 1000;", "limit_conn services 3;"))


def hold(gateway: Gateway, count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Sends requests to a service that is away, and returns when each has tried it."""
    before = gateway.errors().count('"GET /api/products/')
    held = [
        stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=20))
        for _ in range(count)
    ]
    for connection in held:
        connection.sendall(ASK)
    wait_until(
        lambda: gateway.errors().count('"GET /api/products/') >= before + count,
        "all to be held",
        20,
    )
    return held


def memory_kib(gateway: Gateway) -> int:
    """What nginx' processes have for themselves."""
    assert gateway.process is not None
    pid = gateway.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [
        line.split()
        for each in workers
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
    ]
    return sum(int(words[1]) for words in fields if words[0] == "Pss:")


def test_held_request_takes_little_memory_and_leaves_it_to_the_next(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway(LIMIT_CONNECTIONS="1000", HOLD_SECONDS="2")
    assert gateway.get(PRODUCTS).status == 200
    own_services.products.stop()
    before = memory_kib(gateway)

    peaks = []
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            held = hold(gateway, HELD, stack)
            peaks.append(memory_kib(gateway) - before)
            assert {each.recv(12) for each in held} == {b"HTTP/1.1 503"}

    assert peaks[0] <= HELD * MOST_KIB
    assert peaks[1] <= HELD * MOST_KIB


def test_first_that_waits_may_leave_and_the_others_are_served(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway()
    own_services.products.stop()

    with contextlib.ExitStack() as stack:
        hold(gateway, 1, stack)[0].close()
        held = hold(gateway, 5, stack)
        own_services.products.start()

        assert {each.recv(12) for each in held} == {b"HTTP/1.1 200"}


def test_service_that_is_away_costs_an_address_only_its_own_places(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway(LIMIT_CONNECTIONS="3")
    own_services.products.stop()

    with contextlib.ExitStack() as stack:
        hold(gateway, 3, stack)

        assert_problem(gateway.get(PRODUCTS), 429)
        assert gateway.get(ORDERS, signer.token()).status == 200


def test_bodies_for_one_service_take_no_place_of_another(
    own_gateway: StartGateway, signer: Signer
) -> None:
    gateway = own_gateway(LIMIT_BODIES="2")
    unfinished = b"POST /api/users/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(
                socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            ).sendall(unfinished)
        wait_until(
            lambda: gateway.request("POST", "/api/users/", {}, b"{}").status == 429,
            "both to be read",
        )

        answered = gateway.request(
            "POST", ORDERS, {"Authorization": f"Bearer {signer.token()}"}, b"{}"
        )

    assert answered.status == 200


def test_requests_of_all_addresses_for_one_service_are_capped(
    own_services: Services, signer: Signer
) -> None:
    gateway = Crowded(own_services)
    own_services.products.stop()
    try:
        with contextlib.ExitStack() as stack:
            hold(gateway, 3, stack)

            assert_problem(gateway.get(PRODUCTS), 429)
            assert gateway.get(ORDERS, signer.token()).status == 200
    finally:
        gateway.stop()
