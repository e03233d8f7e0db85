"""The relay's events per second against one confirm at a time, over the same broker and the same
kind of queue.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import psycopg
import requests

from bench.scene import Scene, database, one_number
from bench.table import Figure, in_turn
from bench.wrk import run
from native import supervisor
from native.layout import Layout
from servicekit.messaging.connection import connect
from servicekit.messaging.publisher import Message, Publisher
from shopper.ops import Ops

WINDOW = 500
WINDOWED, SINGLE = 10_000, 800
BODY = b'{"padding": "' + b"x" * 600 + b'"}'


def measure_relay(scene: Scene, *, runs: int, seconds: int) -> list[Figure]:
    """Return the real relay's rate from a backlog, the publisher's in windows, and one by one."""
    single = Figure("one confirm at a time", "events/s")
    windowed = Figure(f"publisher, windows of {WINDOW}", "events/s", anchor=single, goal=">= 10 x")
    backlog = Figure("orders-relay, from a backlog", "events/s", anchor=single, goal=">= 10 x")
    with _scratch(scene.ops) as url:
        in_turn(
            runs,
            [
                lambda: single.values.append(_one_by_one(url)),
                lambda: windowed.values.append(_in_windows(url)),
                lambda: backlog.values.append(_backlog(scene, seconds)),
            ],
        )
    return [single, windowed, backlog]


@contextmanager
def _scratch(ops: Ops) -> Iterator[str]:
    """A virtual host with one exchange and one quorum queue, deleted afterwards."""
    name = f"bench-{secrets.token_hex(3)}"
    api = ops["OPS_BROKER_API_URL"]
    requests.put(f"{api}/api/vhosts/{name}", timeout=10).raise_for_status()
    try:
        url = ops["OPS_BROKER_URL"].rsplit("/", 1)[0] + "/" + name
        with _connect(url) as connection:
            channel = connection.channel()
            channel.exchange_declare("bench.events", "topic", durable=True, auto_delete=False)
            channel.queue_declare(
                "bench", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
            )
            channel.queue_bind("bench", "bench.events", "#")
        yield url
    finally:
        requests.delete(f"{api}/api/vhosts/{name}", timeout=30).raise_for_status()


def _connect(url: str, **options: Any) -> Any:
    return kombu.Connection(url, transport_options=options)  # type: ignore[attr-defined, no-untyped-call]


def _messages(count: int) -> list[Message]:
    return [
        Message(number, "bench.events", "bench.thing.v1", BODY, {"ce-id": str(number)})
        for number in range(count)
    ]


def _in_windows(url: str) -> float:
    publisher, messages = Publisher(url), _messages(WINDOWED)
    publisher.publish(messages[:1])
    started = time.monotonic()
    for start in range(0, WINDOWED, WINDOW):
        publisher.publish(messages[start : start + WINDOW])
    rate = WINDOWED / (time.monotonic() - started)
    publisher.close()
    _purge(url)
    return rate


def _one_by_one(url: str) -> float:
    """The library's own way: a confirming publish that waits, mandatory and persistent as ours."""
    with _connect(url, confirm_publish=True) as connection:
        producer = connection.Producer(connection.channel())
        started = time.monotonic()
        for number in range(SINGLE):
            producer.publish(
                BODY,
                exchange="bench.events",
                routing_key="bench.thing.v1",
                headers={"ce-id": str(number)},
                content_type="application/json",
                content_encoding="utf-8",
                mandatory=True,
                delivery_mode=2,
            )
        rate = SINGLE / (time.monotonic() - started)
    _purge(url)
    return rate


def _purge(url: str) -> None:
    with connect(url) as connection:
        connection.channel().queue_purge("bench")


def _backlog(scene: Scene, seconds: int) -> float:
    """Stop the relay, let orders pile up, start it, and read how fast the rows were marked sent.

    The real thing: rows from the database, the broker with its consumers behind it, and the mark in
    the database.
    """
    layout = Layout(scene.ops.state.resolve())
    scene.refresh()
    supervisor.stop_programs(layout, ["orders-relay"])
    try:
        with database(scene.ops, "orders") as orders:
            began = orders.execute("SELECT clock_timestamp()").fetchone()
            run(scene.ops.gateway, scene.orders(1000), seconds=seconds)
            supervisor.start_programs(layout, ["orders-relay"])
            return _sent_rate(orders, began[0] if began else None)
    finally:
        supervisor.start_programs(layout, ["orders-relay"])


UNSENT = (
    "SELECT count(*) FROM outbox WHERE type = 'orders.order_placed.v1' AND created_at >= %s"
    " AND sent_at IS NULL"
)
# The first window is marked at the end of its own publish: it is left out of count and time alike.
RATE = """
    WITH sent AS (SELECT sent_at FROM outbox WHERE type = 'orders.order_placed.v1'
        AND created_at >= %s),
         first AS (SELECT min(sent_at) + interval '1 ms' AS at FROM sent)
    SELECT count(*) FILTER (WHERE sent_at > first.at) / extract(epoch
        FROM max(sent_at) - min(sent_at)) FROM sent, first
    GROUP BY first.at
"""


def _sent_rate(orders: psycopg.Connection[Any], began: Any) -> float:
    deadline = time.monotonic() + 120
    while one_number(orders, UNSENT, began):
        if time.monotonic() > deadline:
            raise TimeoutError("the relay has not sent its backlog")
        time.sleep(0.1)
    return one_number(orders, RATE, began)
