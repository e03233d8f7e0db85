"""What a bulk operation makes of one product: its price, or whether it is for sale.

Each decision changes the product in memory, or leaves it by raising LeftAlone. Prices are rounded
half up to cents: +5 % of 0.50 is 0.525, so 0.53.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from products.models import BulkChange
from products.services.bulk.outcomes import LeftAlone

CENT = Decimal("0.01")
MAX_PRICE = Decimal("9999999999.99")


@dataclass(slots=True)
class Candidate:
    """What is decided by of a product, and changed."""

    id: UUID
    price: Decimal
    compare_at_price: Decimal | None
    stock: int
    active: bool
    deleted_at: datetime | None


Decide = Callable[[Candidate], None]


def change_price(parameters: Mapping[str, Any]) -> Decide:
    """Return the decision that adds a percentage or an amount to a price.

    What costs nothing stays free: it is a gift, and no change of prices is meant for it.
    """
    if "percent" in parameters:
        factor = 1 + Decimal(parameters["percent"]) / 100
        return lambda product: _set_price(product, product.price * factor)
    amount = Decimal(parameters["amount"])
    return lambda product: _set_price(product, product.price + amount)


def activate(_parameters: Mapping[str, Any]) -> Decide:
    """Return the decision that offers a product for sale."""

    def decide(product: Candidate) -> None:
        product.active = True

    return decide


def deactivate(parameters: Mapping[str, Any]) -> Decide:
    """Return the decision that ends a product's sale, with units left only if that is meant."""

    def decide(product: Candidate) -> None:
        if product.active and product.stock and not parameters.get("even_with_stock"):
            raise LeftAlone("product_has_stock", f"{product.stock} units are left.")
        product.active = False

    return decide


def undo(changes: Mapping[UUID, BulkChange]) -> Decide:
    """Return the decision that puts back what is still as these changes left it."""

    def decide(product: Candidate) -> None:
        change = changes[product.id]
        if product.deleted_at:
            raise LeftAlone("product_deleted", "It was deleted since.")
        if change.price_before != change.price_after:
            _put_back(product, "price", change.price_before, change.price_after)
            check_compare_at(product, product.price)
        if change.active_before != change.active_after:
            _put_back(product, "active", change.active_before, change.active_after)

    return decide


def check_compare_at(product: Candidate, price: Decimal) -> None:
    """Look whether the price of before would still be above the price.

    Raises:
        LeftAlone: it would not.
    """
    before = product.compare_at_price
    if before is not None and before <= price:
        raise LeftAlone(
            "not_above_price",
            f"It would cost {price}, and {before} before: raise or clear compare_at_price first.",
            "/compare_at_price",
        )


def _set_price(product: Candidate, exact: Decimal) -> None:
    if product.price == 0:
        return
    price = exact.quantize(CENT, ROUND_HALF_UP)
    if not CENT <= price <= MAX_PRICE:
        bounds = f"A price is {CENT} to {MAX_PRICE}."
        raise LeftAlone("price_out_of_bounds", f"It would cost {price}. {bounds}", "/price")
    check_compare_at(product, price)
    product.price = price


def _put_back(product: Candidate, name: str, before: Any, after: Any) -> None:
    now = getattr(product, name)
    if now not in (before, after):
        raise LeftAlone("changed_since", f"It is {now} now, not {after}.", f"/{name}")
    setattr(product, name, before)
