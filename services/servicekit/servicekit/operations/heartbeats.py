"""Signs of life of the processes that have no port: a row in the database, which every process of
the service can read, and a file, which the health check of the container looks at.
"""

import os
import time
from datetime import timedelta
from pathlib import Path

from django.db.models.functions import Now
from django.utils import timezone

from servicekit.models import Heartbeat

BEAT_EVERY_SECONDS = 2.0
STALE_AFTER_SECONDS = 15.0

_last_beat: dict[str, float] = {}


def beat(process: str, finding: str = "") -> None:
    """Record that `process` lives and reaches its database, and in `finding` what else is wrong.

    Written at most every two seconds, so that a busy loop may call it each time round.
    """
    now = time.monotonic()
    if now - _last_beat.get(process, -BEAT_EVERY_SECONDS) < BEAT_EVERY_SECONDS:
        return
    # By the database's clock, which all hosts share.
    Heartbeat.objects.bulk_create(
        [Heartbeat(process=process, beat_at=Now(), finding=finding)],
        update_conflicts=True,
        unique_fields=["process"],
        update_fields=["beat_at", "finding"],
    )
    touch(process)
    _last_beat[process] = now


def touch(process: str) -> None:
    """Touch HEARTBEAT_DIR/process, whose age the health check looks at; without the variable, do
    nothing.
    """
    folder = os.environ.get("HEARTBEAT_DIR")
    if folder:
        Path(folder, process).touch()


def stale(processes: list[str]) -> list[str]:
    """Return those of `processes` that gave no sign of life for 15 seconds."""
    since = timezone.now() - timedelta(seconds=STALE_AFTER_SECONDS)
    alive = set(
        Heartbeat.objects.filter(process__in=processes, beat_at__gte=since).values_list(
            "process", flat=True
        )
    )
    return [process for process in processes if process not in alive]


def findings(processes: list[str]) -> list[str]:
    """Return what `processes` found wrong, each with the name of its process."""
    found = Heartbeat.objects.filter(process__in=processes).exclude(finding="").order_by("process")
    return [f"{heartbeat.process}: {heartbeat.finding}" for heartbeat in found]
