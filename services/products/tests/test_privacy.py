"""What products forgets of a deleted account: every trace of the person; the stars stay."""

import threading
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from products.errors import NotABuyer
from products.events import UserDeleted, UserSessionsRevoked
from products.handlers import router
from products.models import Product, Purchase, Review
from products.services.reviews import delete_review, edit_review, hide_review, write_review
from servicekit.http.problems import NotFound
from servicekit.models import DeadLetter, IdempotencyKey, RevokedSession
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from servicekit.testing.text_search import rows_with
from servicekit.testing.waiting import wait_until
from tests.factories import make_product

QUEUE, PUBLISHED = "products.users", "products.review_published.v1"
REVOKED = UserSessionsRevoked.type
NAME, EMAIL, STREET = "Ada Quillfeather", "ada.quillfeather@example.org", "12 Larkspur Row"


def forget(user_id: UUID) -> None:
    """Deliver the event twice, as the broker may."""
    event = make_delivery(UserDeleted.type, {"user_id": str(user_id), "deleted_at": "x"})
    deliver(router, QUEUE, [event], times=2)


def make_review(product: Product, customer_id: UUID, rating: int, **text: str) -> Review:
    Purchase.objects.create(customer_id=customer_id, product=product)
    return write_review(product_id=product.pk, customer_id=customer_id, rating=rating, **text)


def numbers(product: Product) -> tuple[int, float]:
    product.refresh_from_db()
    return product.rating_count, float(product.rating_average)


@pytest.mark.django_db(transaction=True)
def test_deleted_account_leaves_no_trace_in_any_table_u16() -> None:
    product, ada = make_product(), uuid7()
    make_review(product, ada, 2, title=NAME, comment=f"Write to {EMAIL}, or to {STREET}.")
    IdempotencyKey.objects.create(
        caller=ada,
        operation="x",
        key=EMAIL,
        request_hash=b"",
        status=201,
        body=NAME.encode(),
        created_at="2026-11-02T00:00:00Z",
    )
    assert {table for text in (NAME, EMAIL, STREET) for table in rows_with(text)} == {
        "review",
        "outbox",
        "idempotency_key",
    }

    forget(ada)

    assert [rows_with(text) for text in (NAME, EMAIL, STREET)] == [{}, {}, {}]


@pytest.mark.django_db(transaction=True)
def test_stars_of_a_deleted_account_stay_without_text_and_author() -> None:
    lamp, pot, ada = make_product(), make_product(), uuid7()
    mine = make_review(lamp, ada, 2, title="Dull", comment="It is.")
    hidden = make_review(pot, ada, 1, comment="Bad.")
    hide_review(review_id=hidden.pk, by=uuid7())
    others = make_review(lamp, uuid7(), 5, title="Bright")
    before = numbers(lamp), numbers(pot)

    forget(ada)

    assert (numbers(lamp), numbers(pot)) == before == ((2, 3.5), (0, 0.0))
    mine.refresh_from_db()
    hidden.refresh_from_db()
    assert [(row.rating, row.title, row.comment, row.version) for row in (mine, hidden)] == [
        (2, "", "", 2),
        (1, "", "", 3),
    ]
    assert len({ada, mine.customer_id, hidden.customer_id}) == 3
    others.refresh_from_db()
    assert (others.title, others.version) == ("Bright", 1)
    assert [event["subject"] for event in outbox_events(PUBLISHED)] == [str(others.pk)]


@pytest.mark.django_db(transaction=True)
def test_deletion_of_a_stranger_changes_nothing() -> None:
    review = make_review(make_product(), uuid7(), 4, title="Good")
    before = outbox_events()

    forget(uuid7())

    review.refresh_from_db()
    assert (review.title, review.version) == ("Good", 1)
    assert outbox_events() == before
    assert not RevokedSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_review_that_is_committed_while_its_author_is_forgotten_loses_its_text() -> None:
    product, ada = make_product(), uuid7()
    forgetting = threading.Thread(target=forget_in_a_thread, args=[ada], daemon=True)

    with transaction.atomic():
        make_review(product, ada, 2, title=NAME)
        forgetting.start()
        wait_until(lambda: is_waiting_for_a_lock() or not forgetting.is_alive())
    forgetting.join(timeout=60)

    assert rows_with(NAME) == {}
    assert (Review.objects.get().customer_id == ada, numbers(product)) == (False, (1, 2.0))


@pytest.mark.django_db(transaction=True)
def test_forgotten_customer_writes_and_edits_nothing_more() -> None:
    lamp, pot, ada = make_product(), make_product(), uuid7()
    review = make_review(lamp, ada, 2)
    forget(ada)

    with pytest.raises(NotABuyer):
        make_review(pot, ada, 3, title=NAME)
    for change in (partial(edit_review, changes={"comment": NAME}), delete_review):
        with pytest.raises(NotFound):
            change(review_id=review.pk, customer_id=ada)

    assert rows_with(NAME) == {}
    assert Review.objects.count() == 1
    assert outbox_events(PUBLISHED) == []


def forget_in_a_thread(user_id: UUID) -> None:
    try:
        forget(user_id)
    finally:
        connection.close()


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_published_reviews_are_found_by_an_index() -> None:
    """The outbox of a week is large, and the handler holds rows meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT FROM outbox WHERE type = %s AND subject = ANY(%s)", [PUBLISHED, ["x"]]
        )
        plan = " ".join(row[0] for row in cursor.fetchall())

    assert "outbox_published_review" in plan


@pytest.mark.django_db(transaction=True)
def test_unusable_event_about_a_deleted_account_is_emptied_and_what_it_was_is_kept() -> None:
    ada, bob = uuid7(), uuid7()
    for user_id in (ada, bob):
        about = {"user_id": str(user_id), "revoked_at": "never", "name": NAME, "email": EMAIL}
        deliver(router, QUEUE, [make_delivery(REVOKED, about)])
    others = make_delivery("orders.order_placed.v1", {"user_id": str(ada), "name": STREET})
    deliver(router, "products.orders", [others])

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
