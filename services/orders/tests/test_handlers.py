"""Events in: each once, twice, late and in the wrong order."""

from uuid import UUID

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import CatalogueProduct, Order, OrderHistory, Status
from orders.services.settlement import cancel_order
from servicekit.models import RevokedSession
from servicekit.testing.deliver import deliver, outbox_events
from tests.factories import (
    make_order,
    make_product,
    product_changed,
    product_deleted,
    rejected,
    released,
    reserved,
    sessions_revoked,
)

STOCK, CATALOGUE = "orders.stock", "orders.catalogue"


def states(order_id: UUID) -> list[tuple[str, bool]]:
    """Each state the order has had, and whether an event brought it there."""
    rows = OrderHistory.objects.filter(order_id=order_id).order_by("version")
    return [(row.to_status, row.event_id is not None) for row in rows]


@pytest.mark.django_db(transaction=True)
def test_reserved_stock_confirms_once() -> None:
    order = make_order()

    deliver(router, STOCK, [reserved(order.pk)], times=2)

    order.refresh_from_db()
    assert order.status == Status.CONFIRMED
    assert order.settled_at is not None
    assert states(order.pk) == [("pending", False), ("confirmed", True)]
    (event,) = outbox_events("orders.order_confirmed.v1")
    assert (event["sequence"], event["data"]["lines"][0]["quantity"]) == (2, 2)
    assert event["causation"] == OrderHistory.objects.get(to_status="confirmed").event_id


@pytest.mark.django_db(transaction=True)
def test_second_event_about_one_order_changes_nothing() -> None:
    order = make_order()
    product_id = order.lines.get().product_id

    deliver(router, STOCK, [reserved(order.pk), reserved(order.pk), rejected(order.pk, product_id)])

    assert [state for state, _ in states(order.pk)] == ["pending", "confirmed"]
    assert len(outbox_events("orders.order_confirmed.v1")) == 1
    assert outbox_events("orders.order_rejected.v1") == []


@pytest.mark.django_db(transaction=True)
def test_rejected_stock_rejects_and_keeps_what_was_short() -> None:
    order = make_order()
    product_id = order.lines.get().product_id

    deliver(router, STOCK, [rejected(order.pk, product_id, requested=2, available=1)], times=2)

    order.refresh_from_db()
    assert order.status == Status.REJECTED
    assert order.shortages == [
        {
            "product_id": str(product_id),
            "requested": 2,
            "available": 1,
            "reason": "insufficient_stock",
        }
    ]
    (event,) = outbox_events("orders.order_rejected.v1")
    assert event["data"]["shortages"] == order.shortages


@pytest.mark.django_db(transaction=True)
def test_batch_settles_many_orders_each_its_way() -> None:
    product = make_product()
    orders = [make_order({product.product_id: 1}) for _ in range(10)]
    messages = [
        reserved(order.pk) if number % 2 else rejected(order.pk, product.product_id)
        for number, order in enumerate(orders)
    ]

    deliver(router, STOCK, messages, times=2)

    assert [Order.objects.get(pk=order.pk).status for order in orders] == [
        "rejected",
        "confirmed",
    ] * 5
    assert len(outbox_events("orders.order_confirmed.v1")) == 5
    assert len(outbox_events("orders.order_rejected.v1")) == 5


@pytest.mark.django_db(transaction=True)
def test_late_reservation_does_not_revive_a_cancelled_order() -> None:
    order = make_order()
    cancel_order(order_id=order.pk)

    deliver(router, STOCK, [reserved(order.pk), released(order.pk)], times=2)

    assert [state for state, _ in states(order.pk)] == ["pending", "cancelled"]
    # What was reserved goes back by the cancellation, whichever of the two reaches products first.
    assert len(outbox_events("orders.order_cancelled.v1")) == 1
    assert outbox_events("orders.order_confirmed.v1") == []


@pytest.mark.django_db(transaction=True)
def test_event_about_an_unknown_order_is_taken_and_changes_nothing() -> None:
    deliver(router, STOCK, [reserved(uuid7()), rejected(uuid7(), uuid7())])

    assert not Order.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db(transaction=True)
def test_catalogue_keeps_the_newest_version_in_any_order() -> None:
    product_id = uuid7()

    deliver(
        router, CATALOGUE, [product_changed(product_id, version) for version in (2, 3, 1)], times=2
    )
    deliver(router, CATALOGUE, [product_changed(product_id, 2)])

    copy = CatalogueProduct.objects.get()
    assert (copy.version, copy.name, str(copy.price)) == (3, "Lantern, version 3", "3.00")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first_the_state", [True, False])
def test_deleted_product_stays_gone(first_the_state: bool) -> None:
    product_id = uuid7()
    messages = [product_changed(product_id, 1), product_deleted(product_id, 2)]

    for message in messages if first_the_state else reversed(messages):
        deliver(router, CATALOGUE, [message], times=2)

    copy = CatalogueProduct.objects.get()
    assert (copy.version, copy.deleted, copy.active) == (2, True, False)


@pytest.mark.django_db(transaction=True)
def test_revoked_session_is_known_here() -> None:
    user_id, session_id = uuid7(), uuid7()

    deliver(
        router,
        "orders.users",
        [sessions_revoked(user_id, session_id, timezone.now().isoformat())],
        times=2,
    )

    assert RevokedSession.objects.get().session == session_id


@pytest.mark.django_db(transaction=True)
def test_copy_of_before_skus_gets_its_sku_and_keeps_the_rest() -> None:
    """The same version, by a rebuild; a SKU that is there, and a deleted product, stay."""
    old, known = make_product(version=3, sku="", name="Old"), make_product(version=3, sku="K-1")
    gone = make_product(version=3, sku="", deleted=True, active=False)

    ids = [old.product_id, known.product_id, gone.product_id]
    deliver(router, CATALOGUE, [product_changed(each, 3, sku="NEW") for each in ids])

    found = {each.pk: (each.sku, each.deleted) for each in CatalogueProduct.objects.all()}
    assert [found[each] for each in ids] == [("NEW", False), ("K-1", False), ("", True)]
