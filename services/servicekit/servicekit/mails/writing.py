"""Mails to send: a row in the transaction of the change that the mail tells of.

The reasons are in docs/adr/0097-mails-have-an-outbox.md.
"""

from collections.abc import Mapping
from datetime import timedelta
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
    context: Mapping[str, str | int],
    useful_for: timedelta,
) -> None:
    """Write a mail, which the job servicekit.send_mails sends after the transaction's commit.

    `cause` names what the mail tells of, without anything personal: a cause that has a mail gets
    no other. `kind` is the path of the templates, KIND_subject.txt and KIND_body.txt. A mail that
    could not be sent within `useful_for` is not sent any more.

    Raises:
        OutsideTransaction: no transaction is open.
        ValidationError: `recipient` is no address.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(f"Open a transaction around the mail {kind} and its cause.")
    validate_email(recipient)
    mail = Mail(
        cause=cause,
        kind=kind,
        recipient=recipient,
        language=language,
        context=dict(context),
        expires_at=timezone.now() + useful_for,
    )
    Mail.objects.bulk_create([mail], ignore_conflicts=True)


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
