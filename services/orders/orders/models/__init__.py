"""Carts; orders, their lines, history, fulfilment and payments; the copy of the catalogue."""

from orders.models.carts import Cart, CartLine
from orders.models.catalogue import CatalogueProduct
from orders.models.fulfilment import OrderReturn, OrderReturnLine, Shipment, ShipmentLine
from orders.models.history import Actor, OrderHistory
from orders.models.lines import OrderLine
from orders.models.orders import (
    ENDED_EMPTY,
    MAX_LINES,
    MAX_NOTE_LENGTH,
    MAX_QUANTITY,
    MAX_TOTAL,
    TRANSITIONS,
    ForgottenCustomer,
    Order,
    OrderDetails,
    Status,
    states_before,
)
from orders.models.payments import Payment, PaymentStep, ProviderEntry

__all__ = [
    "ENDED_EMPTY",
    "MAX_LINES",
    "MAX_NOTE_LENGTH",
    "MAX_QUANTITY",
    "MAX_TOTAL",
    "TRANSITIONS",
    "Actor",
    "Cart",
    "CartLine",
    "CatalogueProduct",
    "ForgottenCustomer",
    "Order",
    "OrderDetails",
    "OrderHistory",
    "OrderLine",
    "OrderReturn",
    "OrderReturnLine",
    "Payment",
    "PaymentStep",
    "ProviderEntry",
    "Shipment",
    "ShipmentLine",
    "Status",
    "states_before",
]
