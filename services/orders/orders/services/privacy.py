"""What orders forgets of a deleted account.

An order names its buyer by an id alone, which leads to nobody once users has deleted the account:
orders and lines stay as they are, for the books
(docs/adr/0093-a-deleted-account-leaves-no-trace.md). What the customer sent with an order, and what
was noted about it, is deleted as soon as the order needs no address any more.
"""

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders.events import OrderShipped
from orders.models import (
    Actor,
    ForgottenCustomer,
    Order,
    OrderDetails,
    OrderHistory,
    Shipment,
    Status,
)
from orders.services.carts import forget_cart
from servicekit.http.idempotency import forget_caller
from servicekit.messaging import dead_letters, outbox_actions

#: States in which an order may still need its address.
OPEN = (Status.PENDING, Status.CONFIRMED)
#: Who may have noted something about somebody.
PEOPLE = (Actor.CUSTOMER, Actor.STAFF, Actor.CLIENT)
#: Longer than an access token lives, with which an order may come after the deletion.
LATE = timedelta(hours=1)


def forget_user(*, user_id: UUID) -> None:
    """Forget the user's cart and the answers to their requests; note that the rest is to follow.

    Open orders run to their end.
    """
    forget_cart(user_id=user_id)
    forget_caller(user_id)
    dead_letters.erase(queue="orders.users", about=user_id, by="users.user_deleted")
    ForgottenCustomer.objects.bulk_create(
        [ForgottenCustomer(user_id=user_id)], ignore_conflicts=True
    )


def forget_all_details(*, seconds: float) -> int:
    """Look after forgotten customers for so long, or until all were looked after in this run.

    A customer and a transaction at a time. Returns how many customers.
    """
    began, until, customers = timezone.now(), time.monotonic() + seconds, 0
    while time.monotonic() < until and _forget_next(began):
        customers += 1
    return customers


def _forget_next(before: datetime) -> bool:
    """Look after the customer who waits longest, unless everybody was seen since `before`."""
    with transaction.atomic():
        waiting = ForgottenCustomer.objects.filter(is_done=False, seen_at__lt=before)
        customer = waiting.order_by("seen_at").select_for_update(skip_locked=True).first()
        if customer is None:
            return False
        orders = Order.objects.filter(user_id=customer.user_id)
        ended = orders.exclude(status__in=OPEN)
        OrderDetails.objects.filter(order__in=ended).delete()
        _forget_tracking(Shipment.objects.filter(order__in=ended).exclude(tracking_number=""))
        OrderHistory.objects.filter(order__in=ended, actor__in=PEOPLE).exclude(note="").update(
            note=""
        )
        is_old = customer.at < before - LATE
        customer.is_done = is_old and not orders.filter(status__in=OPEN).exists()
        customer.seen_at = timezone.now()
        customer.save(update_fields=["is_done", "seen_at"])
    return True


def _forget_tracking(shipments: QuerySet[Shipment]) -> None:
    """Forget where parcels went, in the events that told of them as well."""
    order_ids = [str(each) for each in shipments.values_list("order_id", flat=True)]
    if order_ids:
        outbox_actions.erase(event_type=OrderShipped.type, subjects=order_ids)
        shipments.update(tracking_number="")
