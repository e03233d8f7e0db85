"""Orders, their lines, history and fulfilment; the copy of the catalogue that prices them."""

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

__all__ = [
    "ENDED_EMPTY",
    "MAX_LINES",
    "MAX_NOTE_LENGTH",
    "MAX_QUANTITY",
    "MAX_TOTAL",
    "TRANSITIONS",
    "Actor",
    "CatalogueProduct",
    "ForgottenCustomer",
    "Order",
    "OrderDetails",
    "OrderHistory",
    "OrderLine",
    "OrderReturn",
    "OrderReturnLine",
    "Shipment",
    "ShipmentLine",
    "Status",
    "states_before",
]
