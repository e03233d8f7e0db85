"""What orders forgets of a deleted account, and what stays in the books."""

from uuid import UUID

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders import tasks
from orders.events import UserDeleted, UserSessionsRevoked
from orders.handlers import router
from orders.models import ForgottenCustomer, Order, OrderDetails, OrderHistory, OrderLine, Shipment
from orders.services.fulfilment import Parcel, ship_order
from orders.services.placement import OrderItem, Terms, place_order
from orders.services.settlement import cancel_order
from servicekit.models import DeadLetter, IdempotencyKey
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from servicekit.testing.text_search import rows_with
from tests.factories import BY_PACKER, make_order, make_product, reserved

QUEUE, REVOKED = "orders.users", UserSessionsRevoked.type
HIDDEN = "Ring at Quillfeather's"
NAME, EMAIL, STREET = "Ada Quillfeather", "ada.quillfeather@example.org", "12 Larkspur Row"


def forget(user_id: UUID) -> None:
    """Deliver the event twice, as the broker may."""
    event = make_delivery(UserDeleted.type, {"user_id": str(user_id)})
    deliver(router, QUEUE, [event], times=2)


def make_key(caller: UUID, text: str) -> None:
    IdempotencyKey.objects.create(
        caller=caller,
        operation="place",
        key=text.replace(" ", "-"),
        request_hash=b"",
        status=201,
        body=text.encode(),
        headers={"Location": text},
        created_at=timezone.now(),
    )


@pytest.mark.django_db(transaction=True)
def test_deleted_account_leaves_no_trace_in_any_table_u16() -> None:
    ada, bob = uuid7(), uuid7()
    make_order(user_id=ada)
    for text in (NAME, EMAIL, STREET):
        make_key(ada, text)
    make_key(bob, "bob")
    assert all(rows_with(text) for text in (NAME, EMAIL, STREET))

    forget(ada)

    assert [rows_with(text) for text in (NAME, EMAIL, STREET)] == [{}, {}, {}]
    assert IdempotencyKey.objects.get().caller == bob


@pytest.mark.django_db(transaction=True)
def test_orders_of_a_deleted_account_stay_in_the_books_and_run_to_their_end_u16() -> None:
    ada = uuid7()
    order = make_order(user_id=ada)
    books = [
        list(model.objects.order_by("pk").values()) for model in (Order, OrderLine, OrderHistory)
    ]
    events = outbox_events()

    forget(ada)

    assert books == [
        list(model.objects.order_by("pk").values()) for model in (Order, OrderLine, OrderHistory)
    ]
    assert outbox_events() == events
    deliver(router, "orders.stock", [reserved(order.pk)], times=2)
    order.refresh_from_db()
    assert (order.status, order.user_id) == ("confirmed", ada)


def place_with_details(user_id: UUID) -> UUID:
    address = {"name": NAME, "line1": STREET, "city": "London", "country": "GB"}
    placed = place_order(
        user_id=user_id,
        items=[OrderItem(make_product().product_id, 1)],
        terms=Terms(shipping_address=address, billing_address=address, note=HIDDEN),
    )
    order_id: UUID = placed["id"]
    return order_id


@pytest.mark.django_db(transaction=True)
def test_details_of_ended_orders_are_forgotten_with_the_account_u16() -> None:
    ada, bob = uuid7(), uuid7()
    for user_id in (ada, bob):
        cancel_order(order_id=place_with_details(user_id), reason=f"{NAME} is away")
    forget(ada)

    tasks.forget_customers()
    tasks.forget_customers()

    assert OrderDetails.objects.get().order.user_id == bob
    notes = OrderHistory.objects.exclude(note="").values_list("order__user_id", flat=True)
    assert list(notes) == [bob]


@pytest.mark.django_db(transaction=True)
def test_details_of_an_open_order_are_kept_until_it_is_shipped_u16() -> None:
    ada = uuid7()
    order_id = place_with_details(ada)
    forget(ada)
    ForgottenCustomer.objects.update(at="2026-01-01T00:00Z")

    tasks.forget_customers()
    assert OrderDetails.objects.get().note == HIDDEN
    deliver(router, "orders.stock", [reserved(order_id)])
    tasks.forget_customers()
    assert OrderDetails.objects.exists()
    ship_order(order_id=order_id, by=BY_PACKER, parcel=Parcel("Post", "JD-7"))
    assert ForgottenCustomer.objects.get().is_done is False
    tasks.forget_customers()

    assert [rows_with(text) for text in (NAME, STREET, HIDDEN, "JD-7")] == [{}, {}, {}, {}]
    assert Shipment.objects.get().carrier == "Post"
    assert ForgottenCustomer.objects.get().is_done is True
    assert tasks.forget_customers() == 0


@pytest.mark.django_db(transaction=True)
def test_unusable_event_about_a_deleted_account_is_emptied_and_what_it_was_is_kept() -> None:
    ada, bob = uuid7(), uuid7()
    for user_id in (ada, bob):
        about = {"user_id": str(user_id), "revoked_at": "never", "name": NAME, "email": EMAIL}
        deliver(router, QUEUE, [make_delivery(REVOKED, about)])
    others = make_delivery("products.product_changed.v1", {"user_id": str(ada), "name": STREET})
    deliver(router, "orders.catalogue", [others])

    forget(ada)

    letters = list(DeadLetter.objects.order_by("id"))
    assert [letter.state for letter in letters] == ["discarded", "waiting", "waiting"]
    emptied, kept, others_kept = letters
    assert (bytes(emptied.body), emptied.headers, emptied.detail) == (b"", {}, "")
    assert (emptied.reason, emptied.type) == ("invalid_data", REVOKED)
    assert [action.action for action in emptied.actions.all()] == ["erased"]
    assert EMAIL.encode() in bytes(kept.body)
    # Another queue's letter may still be needed: an order that waits for its stock, say.
    assert STREET.encode() in bytes(others_kept.body)
