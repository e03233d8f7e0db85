"""A customer's view of the running shop: everything goes through the gateway."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from servicekit.testing.openapi import published
from shopper.ops import Ops

Result = TypeVar("Result")
SETTLED = ("confirmed", "rejected", "cancelled", "expired")
#: What the probe for a new product asks for: it must be refused whatever a test adds meanwhile.
MORE_THAN_EVER = 1_000_000
PASSWORD = "a long enough passphrase"
CREATE = "/api/users/accounts/"
#: The promise to whoever ends a session: how long its tokens may go on being accepted.
REFUSED_SECONDS = 5.0


def wait_until(condition: Callable[[], Result], *, seconds: float = 20.0, what: str = "") -> Result:
    """Return the first truthy result of `condition`; fail when it stays false for `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what or condition}")
        time.sleep(0.05)


#: Less than an access token lives.
STAFF_SECONDS = 200


@dataclass
class Person:
    """A logged-in account."""

    id: str
    email: str
    password: str
    access: str
    refresh: str

    @property
    def bearer(self) -> str:
        return f"Bearer {self.access}"


class Shop:
    """The public API at one address."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.http = httpx.Client(base_url=ops.gateway, timeout=20.0, trust_env=False)
        self._staff, self._staff_until = Person("", "", "", "", ""), 0.0

    def call(
        self,
        method: str,
        path: str,
        who: Person | None = None,
        *,
        key: str = "",
        headers: Any = None,
        **more: Any,
    ) -> httpx.Response:
        """Make one request; `who` sends their token, `key` an Idempotency-Key.

        The answer is as its document says.
        """
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = who.bearer
        if key:
            sent["Idempotency-Key"] = key
        answer = self.http.request(method, path, headers=sent, **more)
        published().check(
            method,
            path,
            status=answer.status_code,
            headers=answer.headers,
            content=answer.content,
        )
        return answer

    def register(self, email: str = "", password: str = PASSWORD) -> Person:
        """Have an admin make a customer's account, and log in; test_account_mails.py registers."""
        email = email or f"{uuid.uuid4()}@e2e.example"
        body = {"email": email, "password": password}
        answer = self.call("POST", CREATE, self.admin(), json=body)
        if answer.status_code == 401:  # a test has withdrawn the keys since
            self._staff_until = 0.0
            answer = self.call("POST", CREATE, self.admin(), json=body)
        assert answer.status_code == 201, answer.text
        return self.log_in(email, password)

    def log_in(self, email: str, password: str) -> Person:
        answer = self.call("POST", "/api/auth/token/", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        person = Person("", email, password, tokens["access_token"], tokens["refresh_token"])
        person.id = self.call("GET", "/api/users/me/", person).json()["id"]
        return person

    def staff(self) -> Person:
        return self.log_in(self.ops["STAFF_EMAIL"], self.ops["STAFF_PASSWORD"])

    def admin(self) -> Person:
        """Return a session of the staff's that the shop keeps for itself."""
        if time.monotonic() > self._staff_until:
            self._staff, self._staff_until = self.staff(), time.monotonic() + STAFF_SECONDS
        return self._staff

    def add_product(
        self, staff: Person, *, stock: int = 100, price: str = "12.50", **more: Any
    ) -> dict[str, Any]:
        """Add a product and wait until it can be ordered: orders hears of it through an event."""
        slug = f"e2e-{uuid.uuid4().hex[:16]}"
        body = {
            "slug": slug,
            "name": f"Thing {slug}",
            "price": price,
            "currency": "GBP",
            "stock": stock,
            **more,
        }
        answer = self.call("POST", "/api/products/", staff, json=body)
        assert answer.status_code == 201, answer.text
        product: dict[str, Any] = answer.json()
        probe = {"lines": [{"product": product["id"], "quantity": MORE_THAN_EVER}]}
        wait_until(
            lambda: self.call("POST", "/api/orders/", staff, json=probe).status_code == 201,
            what="orders knows the new product",
        )
        return product

    def stock_of(self, product_id: str) -> int:
        """Ask as staff, whose answers come from no cache."""
        return int(self.call("GET", f"/api/products/{product_id}/", self.admin()).json()["stock"])

    def place(
        self, who: Person, *lines: tuple[str, int], key: str = "", prefer: str = ""
    ) -> httpx.Response:
        body = {
            "lines": [{"product": product, "quantity": quantity} for product, quantity in lines]
        }
        headers = {"Prefer": prefer} if prefer else {}
        return self.call("POST", "/api/orders/", who, key=key, headers=headers, json=body)

    def order(self, who: Person, order_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/api/orders/{order_id}/", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def settled(self, who: Person, order_id: str, *, seconds: float = 30.0) -> dict[str, Any]:
        """Wait for an order's outcome."""

        def outcome() -> dict[str, Any] | None:
            order = self.order(who, order_id)
            return order if order["status"] in SETTLED else None

        found = wait_until(outcome, seconds=seconds, what=f"order {order_id} settles")
        assert found is not None
        return found

    def bought(self, who: Person, *lines: tuple[str, int]) -> dict[str, Any]:
        """Place an order and wait until it is confirmed."""
        order = self.settled(who, self.place(who, *lines).json()["id"])
        assert order["status"] == "confirmed", order
        return order


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an error is problem+json with what design 9 asks of it, and return its members."""
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    )
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "request_id", "code"} <= problem.keys()
    assert problem["request_id"]
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    return problem


@contextmanager
def traffic(shop: Shop, people: Sequence[Person], paths: Sequence[str]) -> Iterator[None]:
    """Ask all the while, as clients at work do: then whatever is kept is as fresh as it gets."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            for person, path in itertools.product(people, paths):
                shop.call("GET", path, person)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            yield
        finally:
            ended.set()
    asked.result()


def await_refusal(shop: Shop, person: Person, path: str) -> float:
    """Wait until a token is refused at a path, as `await_refusals` does."""
    return await_refusals(shop, [person], [path], since=time.monotonic())


def await_refusals(
    shop: Shop, people: Sequence[Person], paths: Sequence[str], *, since: float
) -> float:
    """Ask until every token is refused at every path; return when one was accepted last.

    Every process of a service has its own look at what was revoked, a second old at most: twenty
    rounds of refusals in a row are all of them.

    Returns:
        The seconds from `since` (of the monotonic clock) to the last request that was accepted.

    Raises:
        AssertionError: that was later than the shop promises.
    """
    accepted, rounds = 0.0, 0
    while rounds < 20:
        rounds += 1
        for person, path in itertools.product(people, paths):
            asked = time.monotonic() - since
            status = shop.call("GET", path, person).status_code
            assert status < 500, f"{path} answers {status} instead of a verdict"
            if status != 401:
                accepted, rounds = asked, 0
                assert asked < REFUSED_SECONDS, f"{path} accepts a token after {asked:.1f} s"
    return accepted
