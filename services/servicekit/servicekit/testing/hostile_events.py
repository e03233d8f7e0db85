"""Events with a single thing wrong each.

Whatever a faulty producer may send, a consumer must handle it or store it as a dead letter.
"""

import copy
import dataclasses
import json
import operator
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from uuid_utils.compat import uuid7

from servicekit.messaging.delivery import Delivery
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.models import DeadLetter, OutboxEvent

SERVICES = Path(__file__).parents[3]
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 1e308, float("nan"), 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 10**30,
    -(10**30), [], [[]], {}, "", " ", "\0", "a\0b", "\0\0\0", "\ud800", "\U0001f3ee" * 100,
    "x" * 101, "x" * 201, "x" * 70_000, "-1", "1e400", "NaN", "Infinity", "99999999999.99",
    "9" * 5000,
    "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", 253402300800,
    -62135596800, "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
HEADER_VALUES: tuple[Any, ...] = (
    "", "\0", "a\0b", "\ud800", "x" * 201, "x" * 70_000, "-1", str(2**63), "9" * 5000, "0x10", 7,
    2**70, None, [], {"a": 1}, b"\xff", "9999-12-31T23:59:59-14:00",
    "00-" + "0" * 32 + "-" + "0" * 16 + "-00",
    "00-" + "a" * 32 + "-" + "b" * 16 + "-01-" + "c" * 300,
)  # fmt: skip

UNDECODABLE = {"invalid_data", "invalid_envelope", "not_json", "unknown_type", "too_large"}


def sample_of(event_type: str) -> dict[str, Any]:
    """Return the data of the producer's contract for the type."""
    path = SERVICES / event_type.partition(".")[0] / "contracts" / f"{event_type}.json"
    sample: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return sample


def hostile_data(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the sample with each member replaced by each hostile value, and left out.

    Lists are also repeated five thousand times.
    """
    for path in _paths(sample):
        for value in VALUES:
            yield _changed(sample, path, partial(_set, value=value))
        yield _changed(sample, path, operator.delitem)
        yield _changed(sample, path, _repeat)


def hostile_headers(delivery: Delivery) -> Iterator[Delivery]:
    """Yield the delivery with each attribute replaced by each hostile value, and left out."""
    for name in [*delivery.headers, "ce-traceparent", "ce-causationid"]:
        for value in HEADER_VALUES:
            headers = {**delivery.headers, "ce-id": str(uuid7()), name: value}
            yield dataclasses.replace(delivery, headers=headers)
        headers = {**delivery.headers, "ce-id": str(uuid7())}
        headers.pop(name, None)
        yield dataclasses.replace(delivery, headers=headers)


def check_what_was_kept() -> None:
    """Check what hostile events left behind.

    Dead letters are there because the events could not be decoded, every row of every table can be
    read, and every event in the outbox can be published.
    """
    reasons = set(DeadLetter.objects.values_list("reason", flat=True))
    assert reasons <= UNDECODABLE, reasons
    for model in apps.get_models():
        list(model._default_manager.all())
    assert all(len(row.data) <= MAX_DATA_BYTES for row in OutboxEvent.objects.all())


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path (keys and indexes) to each member of a JSON value."""
    if path:
        yield path
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield from _paths(member, (*path, key))


def _changed(
    sample: dict[str, Any], path: tuple[Any, ...], change: Callable[[Any, Any], None]
) -> dict[str, Any]:
    """Return a copy in which `change(parent, key)` was applied to the member at the path."""
    whole = copy.deepcopy(sample)
    parent: Any = whole
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return whole


def _set(parent: Any, key: Any, *, value: Any) -> None:
    parent[key] = value


def _repeat(parent: Any, key: Any) -> None:
    if isinstance(parent[key], list):
        parent[key] = parent[key] * 5000
