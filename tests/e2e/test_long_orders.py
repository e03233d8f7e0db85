"""One customer orders as much as the shop allows: everybody else is served all the same."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import Shop, wait_until

ORDERS = 60
LINES = 1000
CONNECTIONS = 4


@pytest.fixture(scope="module")
def many_products(shop: Shop) -> list[str]:
    """A thousand products that can be ordered."""
    staff = shop.staff()

    def add(number: int) -> str:
        body = {
            "slug": f"long-{uuid.uuid4().hex[:16]}",
            "name": f"A thing with an ordinary name {number}",
            "price": "1.50",
            "currency": "GBP",
            "stock": 10 * ORDERS,
        }
        answer = shop.call("POST", "/api/products/", staff, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        products = list(pool.map(add, range(LINES)))
    probe = {"lines": [{"product": product, "quantity": 1_000_000} for product in products]}
    wait_until(
        lambda: shop.call("POST", "/api/orders/", staff, json=probe).status_code == 201,
        seconds=60,
        what="orders knows the new products",
    )
    return products


class Customers:
    """Customers who buy one thing after the other in the background, and how long each purchase
    took (seconds).
    """

    def __init__(self, buy: Callable[[], Any], number: int = 2) -> None:
        self.seconds: list[float] = []
        self.answers: list[Any] = []
        self._buy = buy
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(number)]

    def __enter__(self) -> "Customers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            started = time.monotonic()
            self.answers.append(self._buy())
            self.seconds.append(time.monotonic() - started)
            self._ended.wait(0.05)


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(work, items))


def test_sixty_orders_of_a_thousand_lines_hold_up_nobody(
    shop: Shop, staff: Any, many_products: list[str]
) -> None:
    glutton, other = shop.register(), shop.register()
    cold = shop.add_product(staff, stock=100_000)["id"]

    def place(_number: int) -> str:
        answer = shop.place(glutton, *[(product, 1) for product in many_products])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def buy() -> int:
        url = f"/api/products/{cold}/purchase/"
        return shop.call("POST", url, other, json={}, headers={"Prefer": "wait=10"}).status_code

    def decided() -> bool:
        return all(shop.order(glutton, order)["status"] != "pending" for order in orders)

    with Customers(buy) as customers:
        orders = in_parallel(place, range(ORDERS))
        wait_until(decided, seconds=120, what="every long order is decided")
        for order in orders:
            assert shop.order(glutton, order)["status"] == "confirmed"
        cancelled = in_parallel(
            lambda order: shop.call("POST", f"/api/orders/{order}/cancel/", glutton).status_code,
            orders,
        )
        wait_until(
            lambda: shop.stock_of(many_products[0]) == 10 * ORDERS,
            seconds=120,
            what="the units are back",
        )

    assert set(cancelled) == {200}
    assert set(customers.answers) == {200}  # decided while they waited, each of them
    seconds = sorted(customers.seconds)
    p99 = seconds[int(len(seconds) * 0.99)]
    print(
        f"{len(seconds)} purchases meanwhile: median {seconds[len(seconds) // 2]:.3f} s, p99"
        f" {p99:.3f} s"
    )
    assert all(shop.stock_of(product) == 10 * ORDERS for product in many_products[::100])


def test_pages_of_long_orders_are_bounded(shop: Shop, many_products: list[str]) -> None:
    customer = shop.register()
    placed = [
        shop.place(customer, *[(product, 1) for product in many_products]).json()["id"]
        for _ in range(3)
    ]

    first = shop.call("GET", "/api/orders/?page_size=100", customer).json()
    second = shop.http.get(first["next"], headers={"Authorization": customer.bearer}).json()

    assert [order["id"] for order in (*first["results"], *second["results"])] == placed[::-1]
    assert [len(page["results"]) for page in (first, second)] == [2, 1]
    assert second["next"] is None
