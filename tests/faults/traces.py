"""Look for texts in everything that a native stack keeps: tables, queues, Redis, files.

Not looked into: the folders in which PostgreSQL and RabbitMQ keep what they are asked for here
(deleted rows stay there until they are overwritten), and the mail sink, which is a mailbox.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import redis
import requests
from psycopg import sql
from stack import SERVICES, Stack

from native import ports

TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
#: More than a queue of the suite ever holds.
MESSAGES = 10_000


def places_with(stack: Stack, texts: Sequence[str]) -> dict[str, list[str]]:
    """Return where each text is found, for the texts that are found anywhere."""
    found: dict[str, list[str]] = {}
    wanted = {text: _spellings(text) for text in texts}
    for place, content in _contents(stack):
        folded = content.lower()
        for text, spellings in wanted.items():
            places = found.setdefault(text, [])
            if place not in places and any(each in folded for each in spellings):
                places.append(place)
    return {text: places for text, places in found.items() if places}


def _spellings(text: str) -> set[bytes]:
    """Return a text as it is written: plainly, in JSON, in a query, and as bytea is shown."""
    plain = text.lower()
    forms = (plain, json.dumps(plain)[1:-1], quote(plain), quote_plus(plain))
    hexadecimal = {text.encode().hex().encode(), plain.encode().hex().encode()}
    return {form.lower().encode() for form in forms} | hexadecimal


def _contents(stack: Stack) -> Iterator[tuple[str, bytes]]:
    for service in SERVICES:
        with stack.database(service) as connection:
            yield from _rows(service, connection)
    yield from _messages(stack)
    yield from _kept_by_redis(stack)
    yield from _files(stack)


def _rows(service: str, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, bytes]]:
    for schema, table in connection.execute(TABLES).fetchall():
        name = sql.Identifier(schema, table)
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT t::text FROM {} AS t").format(name))
            for (row,) in cursor:
                yield f"{service}: {table}", row.encode()


def _messages(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Look at every ready message, dead letters' and jobs' queues included, and put it back."""
    api = f"{stack.ops['OPS_BROKER_API_URL']}/api/queues"
    for queue in requests.get(api, timeout=30).json():
        if not queue.get("messages"):
            continue
        address = f"{api}/{quote(queue['vhost'], safe='')}/{quote(queue['name'], safe='')}/get"
        asked = {"count": MESSAGES, "ackmode": "ack_requeue_true", "encoding": "auto"}
        answer = requests.post(address, json=asked, timeout=30)
        answer.raise_for_status()
        yield f"queue {queue['name']}", answer.content


def _kept_by_redis(stack: Stack) -> Iterator[tuple[str, bytes]]:
    port = ports.recorded(stack.layout)["redis"]
    with redis.Redis(port=port, password=stack.layout.secret("redis")) as server:
        for number in range(16):
            server.select(number)
            for key in server.scan_iter(count=1000):
                yield "Redis", key + b"\0" + (server.get(key) or b"")


def _files(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Logs and those before them, caches of the gateway, media, whatever else lies there."""
    layout = stack.layout
    databases = {layout.state / "postgres", layout.cluster_outside, layout.rabbitmq / "data"}
    for folder in {layout.state, layout.run}:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and databases.isdisjoint(path.parents):
                yield str(path.relative_to(folder)), _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # a cache's file that is gone by now
