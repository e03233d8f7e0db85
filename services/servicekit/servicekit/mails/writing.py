"""Mails to send: a row in the transaction of the change that the mail tells of.

The reasons are in docs/adr/0097-mails-have-an-outbox.md.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.validators import validate_email
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from servicekit.models import Mail


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

    `cause` names what the mail tells of, without anything personal: a cause that has a mail gets
    no other. `kind` is the path of the templates, KIND_subject.txt and KIND_body.txt; `context` is
    JSON: texts, numbers, lists and objects of them. A mail that could not be sent within
    `useful_for` is not sent any more.

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


def withdraw(*, recipient: str) -> None:
    """Delete the mails to an address that were not sent yet."""
    waiting_mails().filter(recipient=recipient).delete()


def waiting_mails() -> QuerySet[Mail]:
    """Return the mails that were not sent yet."""
    return Mail.objects.filter(claimed_at__isnull=True)
