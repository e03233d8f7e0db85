"""Many at once: never more sold than there is, nobody left without an answer, no deadlock."""

import asyncio
import os
from collections import Counter
from typing import Any

import aiohttp
import pytest
from harness import CREATE, PASSWORD, Shop, wait_until

BUYERS = 500
#: Accounts cost two password hashes each; SOUK_E2E_ACCOUNTS=500 gives each buyer one of their own.
ACCOUNTS = int(os.environ.get("SOUK_E2E_ACCOUNTS", "50"))


def race(calls: list[tuple[str, str, str, Any]], connections: int) -> list[tuple[int, Any]]:
    """Send all calls (token, method, URL, body) together; every connection is open before the first
    is sent.
    """

    async def run() -> list[tuple[int, Any]]:
        connector = aiohttp.TCPConnector(limit=connections)
        timeout = aiohttp.ClientTimeout(total=120)
        gate = asyncio.Event()
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, trust_env=False
        ) as session:

            async def ask(token: str, method: str, url: str, body: Any) -> tuple[int, Any]:
                await gate.wait()
                headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=10"}
                async with session.request(method, url, json=body, headers=headers) as answer:
                    return answer.status, await answer.json(content_type=None)

            tasks = [asyncio.create_task(ask(*call)) for call in calls]
            gate.set()
            return list(await asyncio.gather(*tasks))

    return asyncio.run(run())


@pytest.fixture(scope="module")
def crowd(shop: Shop) -> list[str]:
    """Access tokens of many customers."""

    admin = {"Authorization": shop.admin().bearer}

    async def make() -> list[str]:
        limit = asyncio.Semaphore(3)
        async with aiohttp.ClientSession(base_url=shop.ops.gateway, trust_env=False) as session:

            async def ask(number: int) -> str:
                body = {
                    "email": f"race-{os.urandom(6).hex()}-{number}@e2e.example",
                    "password": PASSWORD,
                }
                async with limit, session.post(CREATE, json=body, headers=admin) as answer:
                    assert answer.status == 201, await answer.text()
                async with limit, session.post("/api/auth/token/", json=body) as answer:
                    return str((await answer.json())["access_token"])

            return list(await asyncio.gather(*(ask(number) for number in range(ACCOUNTS))))

    return asyncio.run(make())


def test_500_buyers_of_100_units_buy_exactly_100(shop, staff, crowd):
    product = shop.add_product(staff, stock=100)
    url = f"{shop.ops.gateway}/api/products/{product['id']}/purchase/"
    tokens = [crowd[number % len(crowd)] for number in range(BUYERS)]

    answers = race([(token, "POST", url, {}) for token in tokens], connections=BUYERS)

    # A buyer who could not be answered in time has a 202 and an order to look at.
    outcomes = Counter[str]()
    for token, (status, body) in zip(tokens, answers, strict=True):
        assert status in (200, 202, 409), (status, body)
        outcomes[_outcome(shop, token, status, body, product["id"])] += 1
    assert outcomes == {"confirmed": 100, "rejected": 400}
    assert shop.stock_of(product["id"]) == 0


def _outcome(shop: Shop, token: str, status: int, body: Any, product: str) -> str:
    if status == 409:
        assert body["code"] == "out_of_stock", body
        assert body["shortages"][0]["product"] == product
        return "rejected"
    if status == 200:
        assert body["status"] == "purchased"
        return "confirmed"
    path, headers = f"/api/orders/{body['order']['id']}/", {"Authorization": f"Bearer {token}"}
    return wait_until(
        lambda: (
            (status := shop.call("GET", path, headers=headers).json()["status"]) != "pending"
            and status
        ),
        seconds=60,
    )


def test_orders_naming_products_in_opposite_order_all_settle(shop, staff, crowd):
    products = [shop.add_product(staff, stock=1000)["id"] for _ in range(4)]
    lines = [{"product": product, "quantity": 1} for product in products]
    url = f"{shop.ops.gateway}/api/orders/"
    calls = [
        (crowd[number % len(crowd)], "POST", url, {"lines": lines if number % 2 else lines[::-1]})
        for number in range(200)
    ]

    answers = race(calls, connections=32)

    assert {status for status, _ in answers} <= {201, 202}
    wait_until(
        lambda: {shop.stock_of(product) for product in products} == {800},
        seconds=60,
        what="all are taken",
    )


def test_one_key_at_once_is_one_order(shop, customer, product):
    url = f"{shop.ops.gateway}/api/orders/"
    body = {"lines": [{"product": product["id"], "quantity": 1}]}

    async def run() -> list[tuple[int, str]]:
        headers = {"Authorization": customer.bearer, "Idempotency-Key": f"at-once-{product['id']}"}
        async with aiohttp.ClientSession(headers=headers, trust_env=False) as session:

            async def ask() -> tuple[int, str]:
                async with session.post(url, json=body) as answer:
                    return answer.status, (await answer.json(content_type=None)).get("id", "")

            return list(await asyncio.gather(*(ask() for _ in range(40))))

    answers = asyncio.run(run())

    assert {status for status, _ in answers} <= {201, 409}
    assert len({order for status, order in answers if status == 201}) == 1


def test_cancels_at_once_put_the_units_back_once(shop, staff, customer):
    product = shop.add_product(staff, stock=10)
    order = shop.bought(customer, (product["id"], 4))
    url = f"{shop.ops.gateway}/api/orders/{order['id']}/cancel/"

    answers = race([(customer.access, "POST", url, None)] * 30, connections=30)

    assert {status for status, _ in answers} <= {200, 409}
    shop.bought(customer, (product["id"], 1))
    assert shop.stock_of(product["id"]) == 9
