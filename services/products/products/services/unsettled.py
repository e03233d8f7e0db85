"""Reservations of which nobody told whether they were sold: orders is asked what became of them.

Its answer is the event that was lost, published anew: order_confirmed keeps the units sold,
order_cancelled and order_expired bring them back.
"""

import logging
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from products.events import ReservationUnsettled
from servicekit.messaging.outbox import Outgoing, publish_many

logger = logging.getLogger(__name__)

#: Reservations of one run, so that the many of before `confirmed_at` are asked about bit by bit.
ASKED_AT_ONCE = 1000
# By hand for its literals: with parameters a generic plan cannot use the partial index, and reads
# every reservation. Two workers share the work.
ASK = """
    WITH unsettled AS (
        SELECT order_id, asked_at FROM reservation
        WHERE status = 'reserved' AND confirmed_at IS NULL
            AND created_at < statement_timestamp() - make_interval(secs => %s)
            AND (asked_at IS NULL OR asked_at < statement_timestamp() - interval '1 hour')
        ORDER BY created_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE reservation SET asked_at = statement_timestamp() FROM unsettled
    WHERE reservation.order_id = unsettled.order_id
    RETURNING unsettled.order_id, unsettled.asked_at IS NOT NULL
"""


def ask_about_unsettled(*, at_most: int = ASKED_AT_ONCE) -> int:
    """Ask orders about reservations that should have ended long ago; return how many.

    Each is asked about once an hour at most.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ASK, [settings.RESERVATION_SETTLED_SECONDS, at_most])
            asked: list[tuple[UUID, bool]] = cursor.fetchall()
        publish_many(_question(order_id, asked_before) for order_id, asked_before in asked)
    if asked:
        logger.warning("reservations are unsettled", extra={"asked": len(asked)})
    return len(asked)


def _question(order_id: UUID, asked_before: bool) -> Outgoing:
    event = ReservationUnsettled(order_id=order_id, asked_before=asked_before)
    # A question changes nothing: the reservation is as the first answer to its order told.
    return Outgoing(event, subject=str(order_id), sequence=1)
