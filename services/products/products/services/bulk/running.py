"""The worker's part: to take up the oldest operation and do one batch after another.

A batch is one transaction, which locks the operation, does the work and saves up to where it came:
killed anywhere, it has had no effect and is done again; no two workers do the same batch. Whoever
finds the operation locked has nothing to do, since operations are done in their order: a price
change and a later one do not meet.
"""

import logging
import time
from collections.abc import Callable, Mapping

from django.db import transaction
from django.db.models import Subquery
from django.db.models.functions import Now

from products.models import BulkOperation
from products.services.bulk.operations import UNFINISHED
from products.services.bulk.outcomes import Outcome
from servicekit.database import (
    is_database_away,
    is_timed_out,
    is_try_again,
    needs_new_connection,
)
from servicekit.models import OutboxEvent

logger = logging.getLogger(__name__)

State = BulkOperation.State
RunBatch = Callable[[BulkOperation], Outcome]
#: With more events waiting for the relay, a batch waits: the worker is ahead by what relay and
#: worker need to go on side by side, and the outbox stays small, whatever is changed. The events of
#: orders do not wait for these (docs/adr/0086-urgent-events-go-first.md).
MAX_UNSENT_EVENTS = 500
PAUSE_SECONDS = 0.01
PASSING = (is_database_away, is_try_again, is_timed_out, needs_new_connection)
PROGRESS = (
    "state",
    "total",
    "done",
    "created",
    "changed",
    "repeated",
    "failed",
    "last_id",
    "position",
    "line",
    "started_at",
    "finished_at",
)


def run_unfinished(*, seconds: float, batches: Mapping[str, RunBatch]) -> int:
    """Do batches until nothing is left, another worker does them, or time is up; return how many.

    `batches` says how a batch of each kind is done.
    """
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        if not _has_room():
            time.sleep(PAUSE_SECONDS)
        elif _run_batch(batches):
            count += 1
        else:
            break
    return count


def _has_room() -> bool:
    """Whether few enough events wait for the relay; it looks at no more of them than it must."""
    return not OutboxEvent.objects.unsent()[MAX_UNSENT_EVENTS : MAX_UNSENT_EVENTS + 1].exists()


def _run_batch(batches: Mapping[str, RunBatch]) -> bool:
    """Do a batch of the oldest operation; return whether there may be more to do."""
    operation = None
    try:
        with transaction.atomic():
            operation = _take_oldest()
            if operation is None:
                return False
            _save(operation, batches[operation.kind](operation))
    except Exception as error:
        if operation is None or any(check(error) for check in PASSING):
            logger.warning("bulk operation waits", extra={"reason": str(error)[:300]})
            return False
        _fail(operation, error)
    return True


def _take_oldest() -> BulkOperation | None:
    """Return the oldest operation that has not ended, locked; None if it is another worker's."""
    unfinished = BulkOperation.objects.filter(state__in=UNFINISHED)
    oldest = Subquery(unfinished.order_by("id").values("id")[:1])
    return unfinished.filter(pk=oldest).select_for_update(skip_locked=True, no_key=True).first()


def _save(operation: BulkOperation, outcome: Outcome) -> None:
    outcome.add_to(operation)
    if operation.state == State.QUEUED:
        operation.state = State.RUNNING
        operation.started_at = Now()
    if outcome.is_last:
        operation.state = State.DONE
        operation.finished_at = Now()
    operation.save(update_fields=PROGRESS)


def _fail(operation: BulkOperation, error: Exception) -> None:
    """End an operation whose batch cannot be done: it would fail again, for ever."""
    logger.error("bulk operation failed", extra={"operation": str(operation.pk)}, exc_info=error)
    BulkOperation.objects.filter(pk=operation.pk, state__in=UNFINISHED).update(
        state=State.FAILED, finished_at=Now(), error=f"{type(error).__name__}: {error}"[:300]
    )
