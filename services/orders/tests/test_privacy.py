"""What orders forgets of a deleted account, and what stays in the books."""

from uuid import UUID

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.events import UserDeleted, UserSessionsRevoked
from orders.handlers import router
from orders.models import Order, OrderHistory, OrderLine
from servicekit.models import DeadLetter, IdempotencyKey
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from servicekit.testing.text_search import rows_with
from tests.factories import make_order, reserved

QUEUE, REVOKED = "orders.users", UserSessionsRevoked.type
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
