"""Idempotency-Key: the same request again gets the first answer, and never a second effect.

The key row is inserted first and commits with the effect: a twin that arrives meanwhile waits on
the unique index and then finds the answer. After draft-ietf-httpapi-idempotency-key-header; kept
for seven days, scoped to caller and operation.

An effect whose outcome is still open is kept as 202; who learns the outcome keeps it with `settle`,
once (docs/adr/0069-a-repeat-gets-the-first-answer.md).
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from psycopg.types.json import Jsonb
from rest_framework.request import Request

from servicekit.http.problems import InvalidInput, Problem
from servicekit.models import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = re.compile(r"[\x21-\x7e]{1,255}")

CLAIM = """
    INSERT INTO idempotency_key
        (caller, operation, key, request_hash, status, body, headers, created_at)
    VALUES (%s, %s, %s, %s, 0, '', '{}', clock_timestamp()) ON CONFLICT DO NOTHING RETURNING id
"""
STORE = """
    UPDATE idempotency_key SET status = %s, body = %s, headers = %s
    WHERE caller = %s AND operation = %s AND key = %s
"""
#: The status of an answer that waits for its outcome.
OPEN = 202


class InvalidKey(InvalidInput):
    """The header is not 1 to 255 visible ASCII characters."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(Problem):
    """The key was used for another request: choose a new one."""

    status_code = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request; a replay is the first answer to its key."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with a key: who asks for what operation, and the hash of what was asked."""

    caller: UUID
    operation: str
    key: str
    request_hash: bytes

    def claim(self) -> Answer | None:
        """Take the key in the effect's transaction; None means go ahead, then `store` and commit.

        Raises:
            IdempotencyKeyReused: the key was used with another request.
        """
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [self.caller, self.operation, self.key, self.request_hash])
            if cursor.fetchone():
                return None
        row = self._row()
        if row is None:
            return self.claim()  # it was seven days old, and purged a moment ago
        if bytes(row.request_hash) != self.request_hash:
            raise IdempotencyKeyReused("This key was used with another request. Choose a new one.")
        return _replay(row)

    def store(self, *, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Keep the answer with the key; it commits with the effect."""
        with connection.cursor() as cursor:
            values: list[Any] = [status, orjson.dumps(body), Jsonb(headers or {})]
            values += [self.caller, self.operation, self.key]
            cursor.execute(STORE, values)

    def settle(self, *, status: int, body: Any) -> Answer:
        """Replace an open answer; return the answer that holds, whoever kept it."""
        with connection.cursor() as cursor:
            values: list[Any] = [status, orjson.dumps(body), Jsonb({})]
            values += [self.caller, self.operation, self.key, OPEN]
            cursor.execute(STORE.rstrip() + " AND status = %s", values)
            row = None if cursor.rowcount else self._row()
        return _replay(row) if row else Answer(status, body)

    def first_answer(self) -> Answer | None:
        """Return the answer that is kept with the key; None once it is purged."""
        row = self._row()
        return _replay(row) if row else None

    def _row(self) -> IdempotencyKey | None:
        rows = IdempotencyKey.objects.filter(
            caller=self.caller, operation=self.operation, key=self.key
        )
        return rows.first()


def _replay(row: IdempotencyKey) -> Answer:
    return Answer(row.status, orjson.loads(row.body), row.headers, is_replay=True)


def perform(keyed: IdempotentRequest | None, effect: Callable[[], Any], *, status: int) -> Answer:
    """Have an effect and keep its answer in one transaction; a repeat gets the first answer alone.

    `effect` writes and returns the body. `status` is OPEN where the outcome comes later, by
    `settle`.

    Raises:
        IdempotencyKeyReused: the key was used with another request.
    """
    with transaction.atomic():
        first = keyed.claim() if keyed else None
        if first:
            return first
        body = effect()
        if keyed:
            keyed.store(status=status, body=body)
    return Answer(status, body)


def from_request(
    request: Request, operation: str, *, caller: UUID, about: str = ""
) -> IdempotentRequest | None:
    """Read the header, if it was sent; `about` is what the path adds to the body, such as an id.

    Raises:
        InvalidKey: it is not 1 to 255 visible ASCII characters.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not KEY.fullmatch(key):
        raise InvalidKey(f"{HEADER} is 1 to 255 visible ASCII characters.")
    # Not orjson: it fails on integers beyond 64 bits, which are JSON, and the serializer may not
    # have refused them yet.
    canonical = json.dumps(
        [about, request.data], sort_keys=True, separators=(",", ":"), default=str
    )
    return IdempotentRequest(caller, operation, key, hashlib.sha256(canonical.encode()).digest())


def forget_caller(caller: UUID) -> None:
    """Forget the keys of a caller whose account is gone, and what was answered to them."""
    IdempotencyKey.objects.filter(caller=caller).delete()
