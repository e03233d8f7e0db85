"""Signs of life of the processes that have no port: a row that every container of the service can read, and a file for its own."""

import os
import time
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone

from servicekit.models import Heartbeat

BEAT_EVERY_SECONDS = 2.0
STALE_AFTER_SECONDS = 15.0

_last_beat: dict[str, float] = {}


def beat(process: str, finding: str = "") -> None:
    """Say that `process` lives and reaches its database, and what is wrong otherwise; written at most every 2 seconds."""
    now = time.monotonic()
    if now - _last_beat.get(process, -BEAT_EVERY_SECONDS) < BEAT_EVERY_SECONDS:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO heartbeat (process, beat_at, finding) VALUES (%s, clock_timestamp(), %s) "
            "ON CONFLICT (process) DO UPDATE SET beat_at = excluded.beat_at, finding = excluded.finding",
            [process, finding],
        )
    touch(process)
    _last_beat[process] = now


def touch(process: str) -> None:
    """Say so to this container only: HEARTBEAT_DIR/process, whose age its health check looks at. Without the variable, nothing."""
    folder = os.environ.get("HEARTBEAT_DIR")
    if folder:
        Path(folder, process).touch()


def stale(processes: list[str]) -> list[str]:
    """Return those of `processes` that gave no sign of life for 15 seconds."""
    since = timezone.now() - timedelta(seconds=STALE_AFTER_SECONDS)
    alive = set(
        Heartbeat.objects.filter(process__in=processes, beat_at__gte=since).values_list("process", flat=True)
    )
    return [process for process in processes if process not in alive]


def findings(processes: list[str]) -> list[str]:
    """Return what those of `processes` that have one found wrong."""
    found = Heartbeat.objects.filter(process__in=processes).exclude(finding="").order_by("process")
    return [f"{one.process}: {one.finding}" for one in found]
