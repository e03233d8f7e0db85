"""Enough units of the products that the shop has already: what this plan's orders want beyond the
stock is added, and told.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from demo.catalogue import Catalogue, all_pages
from demo.progress import work_through
from shopper.clientlog import orders_told

REASON = "Units for the orders of a file"
Units = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Wanted:
    """A planned order by the shop's ids.

    `told` is the order's id, if an earlier run was told of it; `user` is empty for a new customer.
    """

    told: str
    user: str
    units: Units


async def top_up(catalogue: Catalogue, user_ids: dict[str, str]) -> None:
    """Add the units; `user_ids` are the customers' who were there already, by the plan's keys."""
    if not catalogue.plan.tops_up or not catalogue.known:
        return
    orders = await all_pages(catalogue.staff, "/api/orders/")
    stock = {each["id"]: each["stock"] for each in await catalogue.listed() if each["active"]}
    available = {
        catalogue.ids[each.code]: stock.get(catalogue.ids[each.code]) for each in catalogue.known
    }
    told = orders_told(catalogue.log.file)
    missing = not_there(_wanted(catalogue, user_ids, told), orders, told=set(told.values()))
    short = shortages(
        missing, orders, {key: count for key, count in available.items() if count is not None}
    )

    async def add(item: tuple[str, int]) -> None:
        await _add(catalogue, *item)

    await work_through("units", short.items(), add, parallel=catalogue.parallel)


def _wanted(
    catalogue: Catalogue, user_ids: dict[str, str], told: dict[tuple[str, str], str]
) -> list[Wanted]:
    emails = {each.key: each.email for each in catalogue.plan.customers}
    return [
        Wanted(
            told.get((emails[order.customer], order.key), ""),
            user_ids.get(order.customer, ""),
            frozenset((catalogue.ids.get(code, ""), count) for code, count in order.units),
        )
        for order in catalogue.plan.orders
    ]


async def _add(catalogue: Catalogue, product: str, count: int) -> None:
    body = {"delta": count, "reason": REASON}
    # The next run computes the shortage anew: this key serves the repeats of this run.
    answer = await catalogue.staff.call(
        "POST", f"/api/products/{product}/stock/", body=body, key=str(uuid.uuid4())
    )
    if not answer.is_success:
        catalogue.outcome.refused.append(
            f"units of product {product}: {answer.status} {answer.detail}"
        )
        return
    catalogue.outcome.new["units added"] += count
    catalogue.log.wrote("stock", product, reason=REASON)


def not_there(
    wanted: Iterable[Wanted], orders: Iterable[dict[str, Any]], *, told: set[str]
) -> list[Wanted]:
    """Return the planned orders that are not among the shop's.

    An order whose answer got lost is known by its customer and units, as long as nobody was told of
    it: a customer may order the same again.
    """
    ids = {order["id"] for order in orders}
    untold = Counter(
        (order["user"], _units_of(order)) for order in orders if order["id"] not in told
    )
    missing = []
    for item in wanted:
        if item.told in ids:
            continue
        if untold[item.user, item.units]:
            untold[item.user, item.units] -= 1
        else:
            missing.append(item)
    return missing


def shortages(
    missing: Sequence[Wanted], orders: Iterable[dict[str, Any]], available: dict[str, int]
) -> dict[str, int]:
    """Return by how many units each product is short; what pending orders have not taken yet is not
    available.
    """
    demand, pending = Counter[str](), Counter[str]()
    for item in missing:
        demand.update(dict(item.units))
    for order in orders:
        if order["status"] == "pending":
            pending.update(dict(_units_of(order)))
    short = {
        product: demand[product] + pending[product] - count
        for product, count in available.items()
        if demand[product]
    }
    return {product: count for product, count in short.items() if count > 0}


def _units_of(order: dict[str, Any]) -> Units:
    return frozenset((line["product"], line["quantity"]) for line in order["lines"])
