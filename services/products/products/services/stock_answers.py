"""What products answers to orders: stock reserved, rejected or released."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from products.events import (
    Line,
    OrderPlaced,
    Shortage,
    StockRejected,
    StockReleased,
    StockReserved,
)
from servicekit.messaging.outbox import Outgoing
from servicekit.messaging.router import Received

#: Units of each product.
Quantities = dict[UUID, int]


def decided(
    placed: Received[OrderPlaced], wanted: Quantities, short: Sequence[Shortage]
) -> Outgoing:
    """Return what becomes of a placed order: its units are reserved, or these are short."""
    order_id = placed.event.order_id
    if short:
        return _outgoing(
            placed, StockRejected(order_id=order_id, shortages=list(short)), sequence=1
        )
    return _outgoing(placed, StockReserved(order_id=order_id, lines=_lines(wanted)), sequence=1)


def released(ended: Received[Any], held: Quantities) -> Outgoing:
    """Return that an ended order's units are back."""
    return _outgoing(
        ended, StockReleased(order_id=ended.event.order_id, lines=_lines(held)), sequence=2
    )


def _outgoing(
    cause: Received[Any], event: StockReserved | StockRejected | StockReleased, *, sequence: int
) -> Outgoing:
    """Return an answer to `cause`, which it names; its sequence is that of the order's answers."""
    envelope = cause.envelope
    return Outgoing(event, str(event.order_id), sequence, envelope.id, envelope.traceparent)


def _lines(quantities: Quantities) -> list[Line]:
    return [
        Line(product_id=product_id, quantity=quantity)
        for product_id, quantity in quantities.items()
    ]
