"""Asks the payment provider what is to be asked, and asks again until it has answered.

A claim is committed before the provider is called, outside of every transaction; a worker that dies
in between leaves the step to the next claim, and the provider knows the key.
"""

import logging
import time
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection

from orders.models import PaymentStep
from orders.payment_providers import Provider, ProviderAway, Request, provider
from orders.services.payments import take_answer

logger = logging.getLogger(__name__)

#: An open step is asked again after 1 s, 2 s, and so on up to a minute.
LONGEST_WAIT_SECONDS = 60
# Steps of a payment are asked in their order: a void must find what it is to let go. Once that is
# answered, an authorisation that never was is not waited for. The ORM has no UPDATE … RETURNING.
CLAIM = """
    WITH due AS (
        SELECT step.id FROM payment_step AS step
        WHERE answered_at IS NULL AND due_at <= statement_timestamp()
            AND NOT EXISTS (
                SELECT FROM payment_step AS earlier
                WHERE earlier.payment_id = step.payment_id AND earlier.id < step.id
                    AND earlier.answered_at IS NULL
                    AND (earlier.asked_at IS NULL OR step.operation <> 'void'))
            AND NOT EXISTS (
                SELECT FROM payment_step AS voided
                WHERE voided.payment_id = step.payment_id AND voided.operation = 'void'
                    AND voided.approved)
        ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE payment_step SET tries = tries + 1, asked_at = coalesce(asked_at, statement_timestamp()),
        due_at = statement_timestamp()
            + least(power(2, least(tries, 10)), %s) * interval '1 second'
    FROM due, payment
    WHERE payment_step.id = due.id AND payment.id = payment_step.payment_id
    RETURNING payment_step.id, operation, payment.id, payment.order_id, payment_step.amount,
        payment.currency
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A step that nobody else asks for the next second."""

    id: UUID
    operation: str
    payment_id: UUID
    order_id: UUID
    amount: Decimal
    currency: str


def ask_provider(*, seconds: float) -> int:
    """Ask what is due and take the answers, for `seconds` at most; return how many were asked."""
    asked_of = provider()
    if asked_of is None:
        return 0
    until = time.monotonic() + seconds
    _take_unasked(asked_of)
    asked = 0
    while time.monotonic() < until:
        claimed = _claim()
        if claimed is None or not _ask(asked_of, claimed):
            break
        asked += 1
    return asked


def _take_unasked(asked_of: Provider) -> None:
    for step_id, approved in asked_of.unasked():
        try:
            take_answer(step_id=step_id, approved=approved)
        except PaymentStep.DoesNotExist:
            logger.warning("answer to nothing that was asked", extra={"step": str(step_id)})


def _claim() -> Claimed | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [LONGEST_WAIT_SECONDS])
        row = cursor.fetchone()
    return Claimed(*row) if row else None


def _ask(asked_of: Provider, step: Claimed) -> bool:
    """Ask one thing; return whether the provider could be reached."""
    request = Request(step.id, step.payment_id, step.order_id, step.amount, step.currency)
    try:
        answer = getattr(asked_of, step.operation)(request)
    except (ProviderAway, OSError) as error:
        away = {"operation": step.operation, "error": type(error).__name__}
        logger.warning("payment provider is away", extra=away)
        return False
    if answer is not None:
        take_answer(step_id=step.id, approved=answer)
    return True
