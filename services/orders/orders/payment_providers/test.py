"""A provider without money, for tests and demonstrations. What it does, the amount's cents say:

    .01  declines
    .02  never answers an authorisation
    .03  answers twice: the second answer comes unasked
    .04  approves late, after LATE
    .05  cannot be reached by the first two calls

Everything else is approved at once. Its book is a table of its own, which the audit compares with
the shop's (tools/audit).
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from orders.models import ProviderEntry
from orders.payment_providers import ProviderAway, Request

LATE = timedelta(seconds=20)
CALLS_AWAY = 2
DECLINES, IS_SILENT, ANSWERS_TWICE, IS_LATE, IS_AWAY = (Decimal(n) / 100 for n in range(1, 6))


class TestProvider:
    """See the module."""

    __test__ = False  # pytest takes it for tests

    def authorise(self, request: Request) -> bool | None:
        """Set the amount aside, unless the cents say otherwise."""
        with transaction.atomic():
            entry = _entry(request, "authorise")
            entry.calls += 1
            is_away = request.amount % 1 == IS_AWAY and entry.calls <= CALLS_AWAY
            if entry.approved is None and not is_away:
                entry.approved = _decision(request, entry)
            entry.save()
        if is_away:
            raise ProviderAway("The test provider is away for the first calls.")
        return entry.approved

    def capture(self, request: Request) -> bool | None:
        """Take what is set aside."""
        with transaction.atomic():
            entry = _entry(request, "capture")
            is_set_aside = _sum(request, "authorise") - _sum(request, "void") >= request.amount
            return _book(entry, is_possible=is_set_aside and not _sum(request, "capture"))

    def void(self, request: Request) -> bool | None:
        """Let go what is set aside; what is not decided yet is refused from now on."""
        with transaction.atomic():
            entry = _entry(request, "void")
            undecided = ProviderEntry.objects.filter(
                payment_id=request.payment_id, operation="authorise", approved=None
            )
            undecided.update(approved=False)
            return _book(entry, is_possible=not _sum(request, "capture"))

    def refund(self, request: Request) -> bool | None:
        """Give back what was taken, and no more."""
        with transaction.atomic():
            entry = _entry(request, "refund")
            left = _sum(request, "capture") - _sum(request, "refund")
            return _book(entry, is_possible=left >= request.amount)

    def unasked(self) -> Iterator[tuple[UUID, bool]]:
        """Repeat the answers of the last minute that are given twice."""
        minute_ago = timezone.now() - timedelta(minutes=1)
        entries = ProviderEntry.objects.filter(
            operation="authorise", approved=True, asked_at__gt=minute_ago
        )
        return ((entry.pk, True) for entry in entries if entry.amount % 1 == ANSWERS_TWICE)


def _entry(request: Request, operation: str) -> ProviderEntry:
    """Return the entry of the key, which the first call makes; the payment's entries are locked."""
    entry = ProviderEntry(
        key=request.key,
        payment_id=request.payment_id,
        operation=operation,
        amount=request.amount,
    )
    ProviderEntry.objects.bulk_create([entry], ignore_conflicts=True)
    entries = ProviderEntry.objects.filter(payment_id=request.payment_id).order_by("pk")
    return {each.pk: each for each in entries.select_for_update()}[request.key]


def _book(entry: ProviderEntry, *, is_possible: bool) -> bool:
    """Decide an entry, once."""
    if entry.approved is None:
        entry.approved = is_possible
        entry.save()
    return entry.approved


def _decision(request: Request, entry: ProviderEntry) -> bool | None:
    cents = request.amount % 1
    if _sum(request, "void"):
        return False
    if cents == IS_SILENT or (cents == IS_LATE and timezone.now() < entry.asked_at + LATE):
        return None
    return cents != DECLINES


def _sum(request: Request, operation: str) -> Decimal:
    entries = ProviderEntry.objects.filter(
        payment_id=request.payment_id, operation=operation, approved=True
    )
    return entries.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
