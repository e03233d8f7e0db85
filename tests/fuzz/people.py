"""Accounts to ask as, with access tokens that have not expired."""

import time
from collections.abc import Callable

from harness import Person, Shop
from right_requests import Scene

#: Tokens live 300 s.
REFRESH_SECONDS = 200.0
#: More than one, since a session has a rate of its own.
CUSTOMERS = 40
STAFF_SESSIONS = 12


class People:
    """Customers and staff of the shop; `scene(number)` draws one of each."""

    def __init__(self, shop: Shop, host: str) -> None:
        self.shop, self.host = shop, host
        self.customers = [shop.register() for _ in range(CUSTOMERS)]
        self.staff = [shop.staff() for _ in range(STAFF_SESSIONS)]
        self.fresh_at = time.monotonic()
        product = shop.add_product(self.staff[0], stock=900_000_000)
        self.product = str(product["id"])
        self.category = self._category()
        self.orders = [
            str(shop.place(each, (self.product, 1)).json()["id"]) for each in self.customers
        ]

    def _category(self) -> str:
        body = {"slug": f"fuzz-{time.time_ns()}", "name": "Fuzz"}
        return str(
            self.shop.call("POST", "/api/categories/", self.staff[0], json=body).json()["id"]
        )

    def scene(self, number: int) -> Scene:
        if time.monotonic() - self.fresh_at > REFRESH_SECONDS:
            self.refresh()
        index = number % CUSTOMERS
        customer = self.customers[index]
        return Scene(
            host=self.host, customer=customer.access,
            staff=self.staff[number % STAFF_SESSIONS].access, refresh="x" * 43,
            product=self.product, order=self.orders[index], account=customer.id,
            category=self.category,
        )  # fmt: skip

    def refresh(self) -> None:
        """Log everybody in again: a fuzzed log-out may have ended a session."""
        self.customers = [self._again(each) for each in self.customers]
        self.staff = [self.shop.staff() for _ in range(STAFF_SESSIONS)]
        self.fresh_at = time.monotonic()

    def _again(self, person: Person) -> Person:
        return self.shop.log_in(person.email, person.password)


Draw = Callable[[int], Scene]
