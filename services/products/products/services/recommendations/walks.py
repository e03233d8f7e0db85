"""A walk over products, bit by bit: a worker does one job at a time, and each is to be short."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import transaction

from products.models import JobPosition

FIRST = UUID(int=0)


def walk(
    *,
    job: str,
    next_ids: Callable[[UUID], Sequence[UUID]],
    work: Callable[[Sequence[UUID]], None],
    seconds: float,
) -> int:
    """Go on where the last run of `job` ended, to the end at most; return how many were looked at.

    `next_ids` returns some ids after one, in their order; with none the walk is over, and the next
    run begins anew. At least one part is done. Each is a transaction with its position, so a run
    that was killed is gone on with; a second worker waits for the first.
    """
    JobPosition.objects.get_or_create(job=job)
    deadline, looked_at = time.monotonic() + seconds, 0
    while True:
        with transaction.atomic():
            position = JobPosition.objects.select_for_update().get(job=job)
            ids = next_ids(position.after)
            position.after = ids[-1] if ids else FIRST
            position.save()
            if ids:
                work(ids)
        looked_at += len(ids)
        if not ids or time.monotonic() >= deadline:
            return looked_at
