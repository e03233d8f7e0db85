"""Shipping, delivering and taking back: no unit twice, whatever happens at once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from uuid_utils.compat import uuid7

from orders.errors import (
    NotCancellable,
    NotDeliverable,
    NotInOrder,
    NotReturnable,
    NotShippable,
)
from orders.models import (
    Actor,
    Order,
    OrderHistory,
    OrderLine,
    OrderReturn,
    Shipment,
    ShipmentLine,
    Status,
)
from orders.services.fulfilment import Parcel, deliver_order, return_units, ship_order
from orders.services.settlement import cancel_order
from servicekit.http.problems import NotFound, Problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import BY_PACKER, make_confirmed, make_order, make_product

pytestmark = pytest.mark.django_db(transaction=True)
SHIPPED, RETURNED = "orders.order_shipped.v1", "orders.order_returned.v1"


def ship(order: Order, wanted: dict[UUID, int] | None = None) -> UUID:
    return ship_order(
        order_id=order.pk, by=BY_PACKER, parcel=Parcel("Royal Mail", "JD01"), wanted=wanted
    )


def take_back(order: Order, wanted: dict[UUID, int] | None = None) -> UUID:
    return return_units(order_id=order.pk, by=BY_PACKER, reason="too small", wanted=wanted)


def units(order: Order) -> list[tuple[int, int, int]]:
    """Of each line: ordered, shipped, returned."""
    lines = OrderLine.objects.filter(order=order).order_by("id")
    return list(lines.values_list("quantity", "shipped", "returned"))


def steps(order: Order) -> list[tuple[int, str, str, str]]:
    rows = OrderHistory.objects.filter(order=order).order_by("version")
    return list(rows.values_list("version", "from_status", "to_status", "actor"))


def refused(call: Callable[[], Any], refusal: type[Problem], order: Order) -> Problem:
    """Check that a call is refused and that nothing has changed; return the refusal."""
    before = (steps(order), units(order), outbox_events(), Shipment.objects.count())
    with pytest.raises(refusal) as raised:
        call()
    assert before == (steps(order), units(order), outbox_events(), Shipment.objects.count())
    return raised.value


def test_whole_order_is_shipped_and_delivered() -> None:
    first, second = make_product().product_id, make_product().product_id
    order = make_confirmed({first: 2, second: 1})

    shipment_id = ship(order)
    deliver_order(order_id=order.pk, by=BY_PACKER)
    deliver_order(order_id=order.pk, by=BY_PACKER)

    assert units(order) == [(2, 2, 0), (1, 1, 0)]
    assert steps(order) == [
        (1, "", "pending", "customer"),
        (2, "pending", "confirmed", "stock"),
        (3, "confirmed", "shipped", "staff"),
        (4, "shipped", "delivered", "staff"),
    ]
    (event,) = outbox_events(SHIPPED)
    assert (event["subject"], event["sequence"]) == (str(order.pk), 3)
    assert event["data"]["shipment_id"] == str(shipment_id)
    assert event["data"]["is_complete"] is True
    assert [line["quantity"] for line in event["data"]["lines"]] == [2, 1]
    assert [each["sequence"] for each in outbox_events("orders.order_delivered.v1")] == [4]


def test_order_stays_confirmed_until_all_of_it_is_shipped() -> None:
    first, second = make_product().product_id, make_product().product_id
    order = make_confirmed({first: 3, second: 1})

    ship(order, {first: 2})

    order.refresh_from_db()
    assert (order.status, order.version, order.shipment_count) == (Status.CONFIRMED, 3, 1)
    assert units(order) == [(3, 2, 0), (1, 0, 0)]
    refused(lambda: deliver_order(order_id=order.pk, by=BY_PACKER), NotDeliverable, order)
    refused(lambda: cancel_order(order_id=order.pk), NotCancellable, order)

    ship(order)

    order.refresh_from_db()
    assert (order.status, order.version) == (Status.SHIPPED, 4)
    assert [each["data"]["is_complete"] for each in outbox_events(SHIPPED)] == [False, True]
    assert [len(each["data"]["lines"]) for each in outbox_events(SHIPPED)] == [1, 2]
    parcels = ShipmentLine.objects.order_by("id").values_list("line__product_id", "quantity")
    assert list(parcels) == [(first, 2), (first, 1), (second, 1)]


@pytest.mark.parametrize("status", ["pending", "rejected", "expired", "cancelled", "delivered"])
def test_only_what_is_confirmed_is_shipped_o27(status: str) -> None:
    settled = None if status == "pending" else "2026-01-01T00:00Z"
    order = make_order(status=status, settled_at=settled)

    refusal = refused(lambda: ship(order), NotShippable, order)

    assert refusal.members["order_status"] == status


def test_more_than_is_left_or_something_else_is_not_shipped() -> None:
    product_id = make_product().product_id
    order = make_confirmed({product_id: 3})
    ship(order, {product_id: 2})

    short = refused(lambda: ship(order, {product_id: 2}), NotShippable, order)
    refused(lambda: ship(order, {uuid7(): 1}), NotInOrder, order)

    assert short.members["products"] == [
        {"product": str(product_id), "requested": 2, "available": 1}
    ]
    with pytest.raises(NotFound):
        ship_order(order_id=uuid7(), by=BY_PACKER, parcel=Parcel())


def test_units_come_back_in_parts_and_never_more_than_were_shipped() -> None:
    product_id = make_product().product_id
    order = make_confirmed({product_id: 3})
    ship(order, {product_id: 2})

    first = take_back(order, {product_id: 1})
    refused(lambda: take_back(order, {product_id: 2}), NotReturnable, order)
    second = take_back(order)
    refused(lambda: take_back(order), NotReturnable, order)

    assert units(order) == [(3, 2, 2)]
    assert [each["data"]["return_id"] for each in outbox_events(RETURNED)] == [
        str(first),
        str(second),
    ]
    assert [each["sequence"] for each in outbox_events(RETURNED)] == [4, 5]
    assert [to for _version, _from, to, _actor in steps(order)[2:]] == ["confirmed"] * 3
    assert (
        OrderHistory.objects.filter(order=order, note="too small", actor=Actor.STAFF).count() == 2
    )


def test_nothing_comes_back_that_was_not_shipped() -> None:
    order = make_confirmed()

    refused(lambda: take_back(order), NotReturnable, order)


def test_parcels_at_once_ship_each_unit_once() -> None:
    product_id = make_product().product_id
    order = make_confirmed({product_id: 10})

    def pack() -> int:
        packed = 0
        for _ in range(5):
            try:
                ship(order, {product_id: 1})
            except NotShippable:
                continue
            packed += 1
        return packed

    assert sum(at_once(pack, pack, pack)) == 10
    assert units(order) == [(10, 10, 0)]
    order.refresh_from_db()
    assert (order.status, order.shipment_count) == (Status.SHIPPED, 10)
    assert [each["sequence"] for each in outbox_events(SHIPPED)] == list(range(3, 13))


def test_returns_at_once_take_each_unit_once() -> None:
    order = make_confirmed({make_product().product_id: 3})
    ship(order)

    def take_all() -> bool:
        try:
            take_back(order)
        except NotReturnable:
            return False
        return True

    assert sorted(at_once(take_all, take_all, take_all)) == [False, False, True]
    assert OrderReturn.objects.count() == len(outbox_events(RETURNED)) == 1


def test_cancel_and_ship_at_once_do_either() -> None:
    """The second looks again at what the first has left, also where that is a part shipped."""
    product_id = make_product().product_id
    orders = [make_confirmed({product_id: 2}) for _ in range(15)]

    def cancel_all() -> list[UUID]:
        return [
            order.pk for order in orders if succeeded(lambda pk=order.pk: cancel_order(order_id=pk))
        ]

    def ship_all() -> list[UUID]:
        return [
            order.pk
            for order in orders
            if succeeded(lambda order=order: ship(order, {product_id: 1}))
        ]

    cancelled, shipped = at_once(cancel_all, ship_all)

    assert sorted(cancelled + shipped) == sorted(order.pk for order in orders)
    for order in orders:
        order.refresh_from_db()
        assert (order.status == "cancelled") == (order.shipment_count == 0)


def succeeded(call: Callable[[], Any]) -> bool:
    try:
        call()
    except (NotCancellable, NotShippable):
        return False
    return True


@pytest.mark.parametrize(
    "columns",
    [{"shipped": F("quantity") + 1}, {"shipped": -1}, {"returned": 1}, {"returned": -1}],
)
def test_database_refuses_units_that_were_not_there(columns: dict[str, Any]) -> None:
    order = make_confirmed()

    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.filter(order=order).update(**columns)
