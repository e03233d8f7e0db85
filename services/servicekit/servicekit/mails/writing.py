"""Mails to send: a row in the transaction of the change that the mail tells of.

The reasons are in docs/adr/0097-mails-have-an-outbox.md.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.validators import validate_email
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from servicekit.models import Mail

#: After that a claimed mail was sent, given up or lost.
LONGEST_SENDING = timedelta(hours=1)


class OutsideTransaction(RuntimeError):
    """write() was called outside transaction.atomic(): the mail could tell of what never was."""


def write(
    *,
    cause: str,
    kind: str,
    recipient: str,
    language: str,
    context: Mapping[str, Any],
    useful_for: timedelta,
) -> None:
    """Write a mail, which the job servicekit.send_mails sends after the transaction's commit.

    The parameters are those of `drafted`.

    Raises:
        OutsideTransaction: no transaction is open.
        ValidationError: `recipient` is no address.
    """
    write_many(
        [
            drafted(
                cause=cause,
                kind=kind,
                recipient=recipient,
                language=language,
                context=context,
                useful_for=useful_for,
            )
        ]
    )


def drafted(
    *,
    cause: str,
    kind: str,
    recipient: str,
    language: str,
    context: Mapping[str, Any],
    useful_for: timedelta,
) -> Mail:
    """Return a mail for `write_many`.

    `cause` names what the mail tells of, without anything personal: a cause that has a mail gets
    no other. `kind` is the path of the templates, KIND_subject.txt and KIND_body.txt; `context` is
    JSON: texts, numbers, lists and objects of them. A mail that could not be sent within
    `useful_for` is not sent any more.

    Raises:
        ValidationError: `recipient` is no address.
    """
    validate_email(recipient)
    return Mail(
        cause=cause,
        kind=kind,
        recipient=recipient,
        language=language,
        context=dict(context),
        expires_at=timezone.now() + useful_for,
    )


def write_many(mails: Iterable[Mail]) -> None:
    """Write mails in one statement; a cause that has a mail gets no other.

    Raises:
        OutsideTransaction: no transaction is open.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("Open a transaction around mails and their causes.")
    # In one sequence, so that two writers of the same causes cannot wait for each other.
    ordered = sorted(mails, key=lambda mail: mail.cause)
    Mail.objects.bulk_create(ordered, ignore_conflicts=True)


def withdraw(*, recipient: str, about: UUID) -> None:
    """Delete the mails that were not sent yet, to an address or with `about` in their cause.

    Of the latter also those that are being sent now: what the server refuses is not kept.
    """
    waiting = Q(claimed_at__isnull=True)
    claimed = Q(claimed_at__gt=Now() - LONGEST_SENDING, sent_at__isnull=True)
    is_theirs = Q(recipient=recipient) | Q(cause__contains=about)
    Mail.objects.filter(waiting | claimed).filter(is_theirs).delete()


def waiting_mails() -> QuerySet[Mail]:
    """Return the mails that were not sent yet."""
    return Mail.objects.filter(claimed_at__isnull=True)
