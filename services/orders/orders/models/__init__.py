"""Carts, orders, their lines and history, and the copy of the catalogue that prices them."""

from orders.models.carts import Cart, CartLine
from orders.models.catalogue import CatalogueProduct
from orders.models.history import OrderHistory
from orders.models.lines import OrderLine
from orders.models.orders import (
    MAX_LINES,
    MAX_QUANTITY,
    MAX_TOTAL,
    TRANSITIONS,
    Order,
    Status,
    states_before,
)

__all__ = [
    "MAX_LINES",
    "MAX_QUANTITY",
    "MAX_TOTAL",
    "TRANSITIONS",
    "Cart",
    "CartLine",
    "CatalogueProduct",
    "Order",
    "OrderHistory",
    "OrderLine",
    "Status",
    "states_before",
]
