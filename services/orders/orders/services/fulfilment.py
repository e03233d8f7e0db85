"""What staff do with a confirmed order: ship it, whole or in parts, deliver it, take units back.

Each locks the order first; its lines' units change under that lock alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from orders import events
from orders.errors import NotDeliverable, NotInOrder, NotReturnable, NotShippable
from orders.models import (
    Order,
    OrderLine,
    OrderReturn,
    OrderReturnLine,
    Shipment,
    ShipmentLine,
    Status,
)
from orders.models.numbers import number_of
from orders.services.payment_steps import capture_payments, refund_payment
from orders.services.transitions import By, record_step, transition_orders
from servicekit.http.problems import NotFound
from servicekit.messaging.outbox import publish

# In one statement for all lines: the ORM would write a CASE over up to a thousand of them.
ADD_UNITS = """
    UPDATE order_line SET {column} = {column} + units
    FROM unnest(%s::bigint[], %s::int[]) AS moved (line_id, units) WHERE id = line_id
"""
SHIP_UNITS, RETURN_UNITS = (ADD_UNITS.format(column=name) for name in ("shipped", "returned"))
#: Units of each product; None is all that there are.
Wanted = Mapping[UUID, int] | None
Moved = Sequence[tuple[OrderLine, int]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """How a shipment goes; both may be empty."""

    carrier: str = ""
    tracking_number: str = ""


def ship_order(*, order_id: UUID, by: By, parcel: Parcel, wanted: Wanted = None) -> UUID:
    """Ship units of a confirmed order, or all that are left; return the shipment's id.

    The order is shipped when nothing is left, and until then stays confirmed.

    Raises:
        NotFound: there is no such order.
        NotShippable: it is not confirmed, or fewer units are left.
        NotInOrder: the order does not have the product.
    """
    with transaction.atomic():
        order = _locked(order_id)
        if order.status != Status.CONFIRMED:
            raise NotShippable(f"The order is {order.status}.", members=_state(order))
        lines = _lines(order)
        left = {line.product_id: line.quantity - line.shipped for line in lines}
        moved = _moved(lines, left, wanted, NotShippable)
        shipment = Shipment.objects.create(
            order=order,
            carrier=parcel.carrier,
            tracking_number=parcel.tracking_number,
            shipped_by=_who(by),
        )
        ShipmentLine.objects.bulk_create(
            ShipmentLine(shipment=shipment, line=line, quantity=units) for line, units in moved
        )
        _add(SHIP_UNITS, moved)
        capture_payments(order_ids=[order.pk])
        is_complete = sum(left.values()) == sum(units for _line, units in moved)
        _tell_shipped(order, shipment, moved, by, is_complete=is_complete)
    return shipment.pk


def deliver_order(*, order_id: UUID, by: By) -> None:
    """Note that everything reached the customer; a delivered order stays as it is.

    Raises:
        NotDeliverable: it is not shipped, or not wholly.
    """
    with transaction.atomic():
        for order in transition_orders({order_id: None}, Status.DELIVERED, by=by).values():
            event = events.OrderDelivered(
                order_id=order.id, user_id=order.user_id, number=order.number
            )
            publish(event, subject=str(order.id), sequence=order.version)
            return
        status = Order.objects.values_list("status", flat=True).get(pk=order_id)
        if status != Status.DELIVERED:
            raise NotDeliverable(f"The order is {status}.", members={"order_status": status})


def return_units(*, order_id: UUID, by: By, reason: str, wanted: Wanted = None) -> UUID:
    """Take back shipped units, or all of them; return the return's id. Products puts them back.

    Raises:
        NotFound: there is no such order.
        NotReturnable: fewer units were shipped and have not come back.
        NotInOrder: the order does not have the product.
    """
    with transaction.atomic():
        order = _locked(order_id)
        lines = _lines(order)
        out = {line.product_id: line.shipped - line.returned for line in lines}
        moved = _moved(lines, out, wanted, NotReturnable)
        order_return = OrderReturn.objects.create(order=order, received_by=_who(by))
        OrderReturnLine.objects.bulk_create(
            OrderReturnLine(order_return=order_return, line=line, quantity=units)
            for line, units in moved
        )
        _add(RETURN_UNITS, moved)
        worth = sum((line.unit_price * units for line, units in moved), Decimal(0))
        refund_payment(order_id=order.pk, amount=worth, cause=str(order_return.pk))
        version = record_step(order, to=Status(order.status), by=by, note=reason)
        event = events.OrderReturned(
            order_id=order.pk,
            user_id=order.user_id,
            number=number_of(order.serial),
            return_id=order_return.pk,
            lines=_told(moved),
        )
        publish(event, subject=str(order.pk), sequence=version)
    return order_return.pk


def _who(by: By) -> UUID:
    if by.id is None:
        raise ValueError("A member of staff or a machine client moves units.")
    return by.id


def _locked(order_id: UUID) -> Order:
    order = Order.objects.select_for_update(no_key=True).filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def _lines(order: Order) -> list[OrderLine]:
    return list(OrderLine.objects.filter(order=order).order_by("id"))


def _state(order: Order) -> dict[str, str]:
    return {"order_status": order.status}


def _moved(
    lines: Sequence[OrderLine],
    possible: Mapping[UUID, int],
    wanted: Wanted,
    refusal: type[NotShippable | NotReturnable],
) -> Moved:
    """Return the units of each line that are to move, none of them zero."""
    if wanted is not None and not wanted.keys() <= possible.keys():
        strange = sorted(str(product_id) for product_id in wanted.keys() - possible.keys())
        raise NotInOrder("The order has other products.", members={"products": strange})
    units = dict(possible if wanted is None else wanted)
    short = [
        {"product": str(product_id), "requested": number, "available": possible[product_id]}
        for product_id, number in units.items()
        if number > possible[product_id]
    ]
    if short or not any(units.values()):
        raise refusal("So many units are not there to be moved.", members={"products": short})
    return [(line, units[line.product_id]) for line in lines if units.get(line.product_id)]


def _add(statement: str, moved: Moved) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            statement, [[line.pk for line, _units in moved], [units for _line, units in moved]]
        )


def _told(moved: Moved) -> list[events.Line]:
    return [events.Line(product_id=line.product_id, quantity=units) for line, units in moved]


def _tell_shipped(
    order: Order, shipment: Shipment, moved: Moved, by: By, *, is_complete: bool
) -> None:
    to = Status.SHIPPED if is_complete else Status.CONFIRMED
    version = record_step(
        order, to=to, by=by, note="" if is_complete else "shipped in part", shipments=1
    )
    event = events.OrderShipped(
        order_id=order.pk,
        user_id=order.user_id,
        number=number_of(order.serial),
        shipment_id=shipment.pk,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        lines=_told(moved),
        is_complete=is_complete,
    )
    publish(event, subject=str(order.pk), sequence=version)
