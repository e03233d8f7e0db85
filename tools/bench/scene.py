"""What the load needs: many products with plenty of stock, some customers with tokens, and a look
into the databases.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.wrk import Call
from demo.progress import work_through
from shopper.accounts import Account, Session
from shopper.api import Api, Refused
from shopper.ops import Ops

CATEGORY = "bench"
PRODUCTS = 1000
CUSTOMERS = 8
STOCK = 900_000_000


@dataclass
class Scene:
    """Product ids and access tokens (good for five minutes: `refresh` before each load)."""

    ops: Ops
    products: list[str]
    sessions: list[Session]
    tokens: list[str]

    def refresh(self) -> None:
        self.tokens = asyncio.run(_tokens(self.ops, self.sessions))

    def orders(self, products: int) -> list[Call]:
        """Return order calls over the first `products` products."""
        return [
            Call("POST", "/api/orders/", self.tokens[number % len(self.tokens)], _one_of(product))
            for number, product in enumerate(self.products[:products] * (PRODUCTS // products))
        ]


def _one_of(product: str) -> dict[str, Any]:
    return {"lines": [{"product": product, "quantity": 1}]}


def set_scene(ops: Ops) -> Scene:
    """Make what is missing; a second time it finds everything."""
    products, sessions = asyncio.run(_set(ops))
    scene = Scene(ops, products, sessions, [])
    scene.refresh()
    return scene


async def _set(ops: Ops) -> tuple[list[str], list[Session]]:
    async with Api(ops.gateway) as api:
        staff = Session(api, Account(ops["STAFF_EMAIL"], ops["STAFF_PASSWORD"]))
        await staff.call("POST", "/api/categories/", body={"slug": CATEGORY, "name": "Bench"})
        products: dict[str, str] = {}

        async def make(number: int) -> None:
            slug = f"bench-{number:04}"
            body = {
                "slug": slug, "name": f"Thing {number}", "description": "x" * 100, "price": "10.00",
                "currency": "GBP", "stock": STOCK, "category": CATEGORY,
            }  # fmt: skip
            answer = await staff.call("POST", "/api/products/", body=body)
            if not answer.is_success:
                answer = await staff.call("GET", f"/api/products/?slug={slug}")
                if not answer.is_success or not answer.body["results"]:
                    raise Refused("POST", "/api/products/", answer)
                products[slug] = answer.body["results"][0]["id"]
            else:
                products[slug] = answer.body["id"]

        await work_through("products", range(PRODUCTS), make, parallel=8)
        accounts = [
            Account(f"bench-{number}@bench.example", ops["STAFF_PASSWORD"])
            for number in range(CUSTOMERS)
        ]
        sessions = [Session(api, account) for account in accounts]
        await work_through("customers", sessions, lambda each: _create(each, staff), parallel=2)
        return [products[slug] for slug in sorted(products)], sessions


async def _create(session: Session, staff: Session) -> None:
    await session.create(staff)


async def _tokens(ops: Ops, sessions: list[Session]) -> list[str]:
    async with Api(ops.gateway) as api:
        fresh = []
        for session in sessions:
            session.api = api
            await session.log_in()
            fresh.append(await session.token())
        return fresh


@contextmanager
def database(ops: Ops, service: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with every right, each statement by itself."""
    with psycopg.connect(ops[f"OPS_DATABASE_URL_{service.upper()}"], autocommit=True) as connection:
        yield connection


def one_number(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> float:
    row = connection.execute(query, parameters).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0
