"""Reservations that nobody confirms or releases are asked about, and the answer settles them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from uuid_utils.compat import uuid7

from products import tasks
from products.events import OrderExpired
from products.handlers import router
from products.models import Product, ProductSales, Purchase, Reservation
from products.services import unsettled
from servicekit.testing.client import Caller
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from servicekit.testing.races import at_once
from tests.factories import cancelled, confirmed, make_product, placed

ORDERS, SALES = "products.orders", "products.sales"
UNSETTLED = "products.reservation_unsettled.v1"
LATE = timedelta(hours=1)


def reserve(product: Product, *, ago: timedelta = LATE, quantity: int = 1) -> UUID:
    """Let an order take its units, as if it had been placed that long ago."""
    order_id = uuid7()
    deliver(router, ORDERS, [placed({product.pk: quantity}, order_id)])
    change(order_id, created_at=timezone.now() - ago)
    return order_id


def change(order_id: UUID, **columns: Any) -> None:
    Reservation.objects.filter(pk=order_id).update(**columns)


def asked() -> list[tuple[str, bool]]:
    return [(each["subject"], each["data"]["asked_before"]) for each in outbox_events(UNSETTLED)]


def units_sold() -> int:
    return sum(ProductSales.objects.values_list("units", flat=True))


@pytest.mark.django_db(transaction=True)
def test_expiry_that_was_lost_for_ever_brings_the_units_back() -> None:
    product = make_product(stock=5)
    order_id = reserve(product, quantity=3)
    # Its order_expired is parked in the outbox of orders, or was discarded as a dead letter.

    assert tasks.settle_reservations() == 1
    (question,) = outbox_events(UNSETTLED)
    assert question["data"] == {"order_id": str(order_id), "asked_before": False}
    answer = make_delivery(OrderExpired.type, {"order_id": str(order_id)})
    deliver(router, ORDERS, [answer], times=2)

    product.refresh_from_db()
    assert product.stock == 5
    assert len(outbox_events("products.stock_released.v1")) == 1
    assert tasks.settle_reservations() == 0


@pytest.mark.django_db(transaction=True)
def test_confirmation_that_was_lost_is_made_good_once() -> None:
    product, buyer = make_product(stock=5), uuid7()
    order_id = reserve(product, quantity=3)

    tasks.settle_reservations()
    # A new event each time: the inbox alone would not know the second.
    for _ in range(2):
        deliver(router, SALES, [confirmed({product.pk: 3}, buyer, order_id)], times=2)

    product.refresh_from_db()
    assert (product.stock, units_sold()) == (2, 3)
    change(order_id, asked_at=None)
    assert tasks.settle_reservations() == 0


@pytest.mark.django_db(transaction=True)
def test_order_that_is_confirmed_twice_in_a_batch_is_counted_once() -> None:
    product, buyer = make_product(stock=5), uuid7()
    order_id = reserve(product, quantity=3)

    deliver(router, SALES, [confirmed({product.pk: 3}, buyer, order_id) for _ in range(2)])

    assert units_sold() == 3


@pytest.mark.django_db(transaction=True)
def test_answer_about_a_sale_of_before_the_upgrade_counts_no_units_but_notes_its_buyer() -> None:
    product, buyer = make_product(stock=5), uuid7()
    order_id = reserve(product, quantity=3)
    change(order_id, is_counted=True)

    tasks.settle_reservations()
    deliver(router, SALES, [confirmed({product.pk: 3}, buyer, order_id)], times=2)

    assert units_sold() == 0
    assert Reservation.objects.get().confirmed_at is not None
    assert Purchase.objects.get().customer_id == buyer


@pytest.mark.django_db(transaction=True)
def test_first_confirmation_keeps_its_time() -> None:
    product = make_product()
    order_id = reserve(product)
    deliver(router, SALES, [confirmed({product.pk: 1}, uuid7(), order_id)])
    first = Reservation.objects.get().confirmed_at

    deliver(router, SALES, [confirmed({product.pk: 1}, uuid7(), order_id)])

    assert Reservation.objects.get().confirmed_at == first


@pytest.mark.django_db(transaction=True)
def test_what_has_ended_or_is_young_is_not_asked_about() -> None:
    product = make_product(stock=9)
    for ago in (timedelta(0), timedelta(minutes=29)):
        reserve(product, ago=ago)
    sold, given_back = reserve(product), reserve(product)
    deliver(router, SALES, [confirmed({product.pk: 1}, uuid7(), sold)])
    deliver(router, ORDERS, [cancelled(given_back)])
    rejected = reserve(product, quantity=99)

    assert tasks.settle_reservations() == 0

    assert asked() == []
    assert Reservation.objects.get(pk=rejected).status == "rejected"


@pytest.mark.django_db(transaction=True)
def test_reservation_is_asked_about_once_an_hour() -> None:
    order_id = reserve(make_product())

    assert [tasks.settle_reservations() for _ in range(3)] == [1, 0, 0]
    change(order_id, asked_at=timezone.now() - timedelta(minutes=61))
    assert tasks.settle_reservations() == 1

    assert asked() == [(str(order_id), False), (str(order_id), True)]


@pytest.mark.django_db(transaction=True)
def test_many_are_asked_about_bit_by_bit_oldest_first() -> None:
    product = make_product(stock=9)
    orders = [reserve(product, ago=timedelta(hours=hours)) for hours in (1, 3, 2)]

    assert [unsettled.ask_about_unsettled(at_most=2) for _ in range(3)] == [2, 1, 0]

    subjects = [subject for subject, _ in asked()]
    assert set(subjects[:2]) == {str(orders[1]), str(orders[2])}
    assert subjects[2] == str(orders[0])


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_questions() -> None:
    product = make_product(stock=40)
    for _ in range(40):
        reserve(product)

    def sweep() -> int:
        return sum(unsettled.ask_about_unsettled(at_most=3) for _ in range(20))

    found = at_once(sweep, sweep)

    assert sum(found) == len(set(asked())) == len(asked()) == 40


@pytest.mark.django_db(transaction=True)
def test_questions_are_found_by_their_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {unsettled.ASK}", [1800, 10])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
        cursor.execute("RESET enable_bitmapscan")

    assert "Index Scan using reservation_unsettled" in plan


@pytest.mark.django_db(transaction=True)
def test_command_and_gauge_tell_how_many_wait(capsys: pytest.CaptureFixture[str]) -> None:
    product = make_product()
    for ago in (LATE, LATE, timedelta(0)):
        reserve(product, ago=ago)

    call_command("settle_reservations")

    assert capsys.readouterr().out.startswith("Asked about 2 of 2 reservations")
    text = Caller().get("/metrics").content.decode()
    assert "souk_unsettled_reservations 2.0" in text
