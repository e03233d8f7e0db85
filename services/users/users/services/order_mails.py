"""The mails about orders, of which orders tells by events: addresses are at home here.

Each is written in the transaction that handles its event, under a cause that has one mail whatever
is repeated (docs/adr/0102-users-writes-the-mails-of-orders.md).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from servicekit.mails import writing
from servicekit.messaging.router import Received
from users.events import OrderCancelled, OrderConfirmed, OrderEvent, OrderRejected, OrderShipped
from users.models import Account

#: Whom it reaches later knows from the shop.
LIFE = timedelta(days=7)
E = TypeVar("E", bound=OrderEvent)
Context = dict[str, str | int]


def tell_confirmed(*, received: Sequence[Received[OrderConfirmed]]) -> None:
    """Tell customers that the shop has what they ordered."""
    _write(
        "order_confirmed",
        [
            (event, account, event.order_id, {"total": f"{event.total:.2f} {event.currency}"})
            for event, account in _with_accounts(received)
        ],
    )


def tell_rejected(*, received: Sequence[Received[OrderRejected]]) -> None:
    """Tell customers that something is sold out, and name it."""
    _write(
        "order_rejected",
        [
            (event, account, event.order_id, {"products": ", ".join(event.products)})
            for event, account in _with_accounts(received)
        ],
    )


def tell_cancelled(*, received: Sequence[Received[OrderCancelled]]) -> None:
    """Tell customers that an order was cancelled, by them or by the shop."""
    _write(
        "order_cancelled",
        [
            (event, account, event.order_id, {"by_shop": int(event.reason != "customer")})
            for event, account in _with_accounts(received)
        ],
    )


def tell_shipped(*, received: Sequence[Received[OrderShipped]]) -> None:
    """Tell customers of each parcel."""
    _write(
        "order_shipped",
        [
            (
                event,
                account,
                event.shipment_id,
                {
                    "carrier": event.carrier,
                    "tracking_number": event.tracking_number,
                    "more_follows": int(not event.is_complete),
                },
            )
            for event, account in _with_accounts(received)
        ],
    )


def _with_accounts(received: Sequence[Received[E]]) -> Iterator[tuple[E, Account]]:
    """Yield each event whose customer has an account, with it.

    Locked, so that a deletion finds the mail and withdraws it.
    """
    if not settings.ORDER_MAILS:
        return
    wanted = {item.event.user_id for item in received}
    rows = Account.objects.filter(pk__in=wanted).only("email", "name", "language")
    accounts = {row.pk: row for row in rows.order_by("pk").select_for_update(no_key=True)}
    for item in received:
        if item.event.user_id in accounts:
            yield item.event, accounts[item.event.user_id]


def _write(kind: str, told: Sequence[tuple[OrderEvent, Account, UUID, Context]]) -> None:
    writing.write_many(
        writing.drafted(
            cause=f"{kind}:{about}",
            kind=f"users/mails/{kind}",
            recipient=account.email,
            language=account.language,
            context={"name": account.name, "number": event.number, **context},
            useful_for=LIFE,
        )
        for event, account, about, context in told
    )
