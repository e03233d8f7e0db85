"""What customers are mailed about their orders: once, in their language, whatever is repeated."""

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from servicekit.messaging.delivery import Delivery
from servicekit.models import InboxEvent, Mail
from servicekit.testing.deliver import deliver, make_delivery
from servicekit.testing.mailbox import Mailbox, text_of
from servicekit.testing.races import at_once
from tests import mails
from tests.factories import make_account
from users.events import OrderCancelled, OrderConfirmed, OrderRejected, OrderShipped
from users.handlers import router
from users.models import Account
from users.services.deletion import delete_account

mailbox = mails.mailbox
QUEUE = "users.orders"
ADA = "ada@example.org"
pytestmark = pytest.mark.django_db(transaction=True)


def customer(**overrides: Any) -> Account:
    return make_account(uuid7(), email=ADA, **overrides)


def about(event: Any, user_id: UUID, order_id: UUID | None = None, **more: Any) -> Delivery:
    data = {"order_id": str(order_id or uuid7()), "user_id": str(user_id), "number": "1000017"}
    return make_delivery(event.type, {**data, **more})


def confirmed(user_id: UUID, order_id: UUID | None = None) -> Delivery:
    return about(OrderConfirmed, user_id, order_id, total="6.78", currency="GBP")


def shipped(user_id: UUID, order_id: UUID, **more: Any) -> Delivery:
    parcel = {
        "shipment_id": str(uuid7()),
        "carrier": "Royal Mail",
        "tracking_number": "JD01",
        "is_complete": True,
    }
    return about(OrderShipped, user_id, order_id, **parcel | more)


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("en", "Your order 1000017 is confirmed", "for 6.78 GBP together"),
        ("de", "Ihre Bestellung 1000017 ist bestätigt", "für zusammen 6.78 GBP"),
    ],
)
def test_confirmed_order_is_told_in_the_customers_language(
    mailbox: Mailbox, language: str, subject: str, words: str
) -> None:
    account = customer(language=language)

    deliver(router, QUEUE, [confirmed(account.pk)], times=2)

    (message,) = mails.mails_to(mailbox, ADA)
    assert message["Subject"] == subject
    assert words in text_of(message)


def test_rejection_says_what_is_sold_out(mailbox: Mailbox) -> None:
    account = customer()

    deliver(router, QUEUE, [about(OrderRejected, account.pk, products=["Lantern", "<b>Pot</b>"])])

    (message,) = mails.mails_to(mailbox, ADA)
    assert "too little of: Lantern, <b>Pot</b>" in text_of(message)


@pytest.mark.parametrize(
    ("reason", "words"), [("customer", "As you asked"), ("staff", "We had to cancel")]
)
def test_cancel_says_who_wanted_it(mailbox: Mailbox, reason: str, words: str) -> None:
    account = customer()

    deliver(router, QUEUE, [about(OrderCancelled, account.pk, reason=reason)], times=2)

    (message,) = mails.mails_to(mailbox, ADA)
    assert words in text_of(message)


def test_each_parcel_is_told_once(mailbox: Mailbox) -> None:
    account, order_id = customer(), uuid7()
    first = shipped(account.pk, order_id, is_complete=False, carrier="", tracking_number="")
    last = shipped(account.pk, order_id)

    deliver(router, QUEUE, [first, last], times=2)

    texts = sorted(text_of(message) for message in mails.mails_to(mailbox, ADA))
    assert ["the rest follows" in text for text in texts] == [True, False]
    assert ["JD01" in text for text in texts] == [False, True]


def test_outcome_told_anew_is_not_mailed_again(mailbox: Mailbox) -> None:
    """By another event: orders tells outcomes again when products asks."""
    account, order_id = customer(), uuid7()
    deliver(router, QUEUE, [confirmed(account.pk, order_id)])
    assert len(mails.mails_to(mailbox, ADA)) == 1
    InboxEvent.objects.all().delete()

    deliver(router, QUEUE, [confirmed(account.pk, order_id) for _ in range(3)])

    assert len(mails.mails_to(mailbox, ADA)) == 1


def test_events_handled_at_once_are_mailed_once() -> None:
    account = customer()
    orders = [uuid7() for _ in range(20)]

    def handle() -> None:
        deliver(router, QUEUE, [confirmed(account.pk, order_id) for order_id in orders])

    assert at_once(handle, handle, handle) == [None] * 3
    assert Mail.objects.filter(recipient=ADA).count() == 20


def test_stranger_and_deleted_account_are_not_written_to() -> None:
    account = customer()
    deliver(router, QUEUE, [confirmed(account.pk)])
    delete_account(account=account)

    deliver(router, QUEUE, [confirmed(account.pk), confirmed(uuid7())])

    assert not Mail.objects.exists()


def test_shop_may_mail_nothing(settings: Any) -> None:
    settings.ORDER_MAILS = False
    account = customer()

    deliver(router, QUEUE, [confirmed(account.pk)])

    assert not Mail.objects.exists()
    assert InboxEvent.objects.count() == 1
