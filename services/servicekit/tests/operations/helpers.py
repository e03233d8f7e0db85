"""Heartbeats as of processes, and the answer of /readyz."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from servicekit.models import Heartbeat
from servicekit.testing.client import Caller, decoded


def beat(*processes: str, age_seconds: float = 0) -> None:
    for process in processes:
        moment = timezone.now() - timedelta(seconds=age_seconds)
        Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": moment})


def ready(status: int = 200) -> dict[str, Any]:
    body: dict[str, Any] = decoded(Caller().get("/readyz"), status)
    return body
