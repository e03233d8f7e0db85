"""Orders followed over the socket, and requests that wait, through the gateway."""

import asyncio
import socket
import threading
from contextlib import closing, suppress

import pytest
from harness import assert_problem
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from shopper.follow import follow


class Cable:
    """Carries connections to the gateway, until it is cut; then those that come later."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, far = self._listener.accept()[0], socket.create_connection(self._target)
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        with suppress(OSError), closing(source), closing(sink):
            while data := source.recv(65_536):
                sink.sendall(data)


@pytest.fixture
def cable(shop):
    cable = Cable(shop.http.base_url.port)
    yield cable
    cable.close()


async def states_until(states, order_id, status):
    """The versions that were told of an order, up to the one with this status."""
    told = []
    async with asyncio.timeout(60):
        async for order in states:
            if order["id"] == order_id:
                told.append((order["version"], order["status"]))
                if order["status"] == status:
                    return told
    pytest.fail("the socket ended")


def test_client_that_loses_its_connection_ends_at_the_final_state(shop, staff, customer, cable):
    product = shop.add_product(staff, stock=5)

    async def token():
        return customer.access

    async def lose_it_twice():
        states = follow(cable.url, token)
        placed = (await asyncio.to_thread(shop.place, customer, (product["id"], 1))).json()
        told = await states_until(states, placed["id"], "confirmed")
        cable.cut()
        path = f"/api/orders/{placed['id']}/cancel/"
        await asyncio.to_thread(shop.call, "POST", path, customer)
        cable.cut()
        told += await states_until(states, placed["id"], "cancelled")
        await states.aclose()
        return told

    told = asyncio.run(lose_it_twice())

    versions = [version for version, _ in told]
    assert versions == sorted(set(versions))
    assert told[-1] == (3, "cancelled")


def test_socket_closes_when_the_session_ends(shop):
    person = shop.register()
    address = str(shop.http.base_url).replace("http", "ws", 1) + "/ws/orders/"

    with connect(
        address, additional_headers={"Authorization": person.bearer}, proxy=None
    ) as opened:
        opened.send('{"type": "subscribe", "orders": "all"}')
        while "subscribed" not in opened.recv(timeout=20):
            pass
        shop.call("POST", "/api/auth/revoke/", json={"refresh_token": person.refresh})
        with suppress(Exception):
            while True:
                opened.recv(timeout=20)
        assert opened.close_code == 1008


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}])
def test_socket_without_a_good_token_is_401(shop, header):
    address = str(shop.http.base_url).replace("http", "ws", 1) + "/ws/orders/"

    with (
        pytest.raises(InvalidStatus) as refused,
        connect(address, additional_headers=header, proxy=None),
    ):
        pass

    assert refused.value.response.status_code == 401


def test_page_opens_a_socket_with_its_token_in_the_subprotocol(shop, customer):
    address = str(shop.http.base_url).replace("http", "ws", 1)
    origin, protocols = str(shop.http.base_url), ["souk.orders.v1", f"bearer.{customer.access}"]

    with connect(
        f"{address}/ws/orders/", origin=origin, subprotocols=protocols, proxy=None
    ) as page:
        assert page.subprotocol == "souk.orders.v1"
        assert '"ready"' in page.recv(timeout=20)
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"{address}/ws/orders/",
            origin="http://evil.example",
            subprotocols=protocols,
            proxy=None,
        ),
    ):
        pass

    assert refused.value.response.status_code == 403


def test_purchase_waits_in_live_and_is_repeated_alike(shop, staff, customer):
    product = shop.add_product(staff, stock=5)
    path = f"/api/products/{product['id']}/purchase/"

    first = shop.call("POST", path, customer, key="live-1", json={}, headers={"Prefer": "wait=10"})
    again = shop.call("POST", path, customer, key="live-1", json={}, headers={"Prefer": "wait=10"})

    assert (first.status_code, first.json()["status"]) == (200, "purchased")
    assert first.headers["preference-applied"] == "wait=10"
    assert (again.content, again.headers["location"]) == (first.content, first.headers["location"])
    assert again.headers["idempotency-replayed"] == "true"


def test_order_is_read_once_it_is_decided(shop, staff, customer):
    product = shop.add_product(staff, stock=1)
    placed = shop.place(customer, (product["id"], 1)).json()

    read = shop.call("GET", f"/api/orders/{placed['id']}/?wait=10", customer)

    assert read.json()["status"] == "confirmed"
    assert read.headers["etag"].removeprefix("W/") == '"2"'
    assert_problem(shop.call("GET", f"/api/orders/{placed['id']}/?wait=x", customer), 400)
