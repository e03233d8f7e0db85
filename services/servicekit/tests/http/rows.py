"""Rows to page through, and cursors, ours and forged."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded
from tests.project.views import EventViewSet

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


ORDERS = {ordering.name: ordering for ordering in EventViewSet.orderings}


EVERY_ORDER = pytest.mark.parametrize("order", sorted(ORDERS))


def add_rows(count: int, **overrides: Any) -> list[str]:
    """Rows of which each field has ties: eleven share a time, five a subject, and so on."""
    rows = [
        OutboxEvent(
            **{
                "id": UUID(str(uuid7())),
                "type": "test",
                "subject": f"it's «{n % 5}» %_\\&=+ é",
                "sequence": n % 7 - 3,
                "data": b"",
                "created_at": NOON + timedelta(microseconds=n // 11),
                **overrides,
            }
        )
        for n in range(count)
    ]
    OutboxEvent.objects.bulk_create(rows)
    return [str(row.id) for row in rows]


def pages_of(nobody: Caller, path: str) -> Iterator[list[dict[str, Any]]]:
    following: str | None = path
    while following:
        body = decoded(nobody.get(following))
        yield body["results"]
        following = body["next"]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def cursor_of(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
