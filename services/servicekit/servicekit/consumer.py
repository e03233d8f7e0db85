"""The consumer: takes what its queues hold, handles it in batches, acknowledges after the commit.

What goes wrong decides what happens (docs/events.md has the table):
database away → keep the messages and wait, no attempt is counted; deadlock → again at once; a batch that fails → one by one, so that
neighbours do not suffer; a row locked for long → again later, no attempt is counted; unreadable → dead letter with its reason; any
other exception → again after 1, 10 and 60 seconds, then dead letter. Nothing a message contains ends the process.
"""

import contextlib
import logging
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

import amqp
import kombu
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db import connection as database

from servicekit import broker, deadletters, heartbeats, metrics
from servicekit.batch import handle_batch
from servicekit.breath import rest_after
from servicekit.database import is_database_away, is_deadlock, is_locked
from servicekit.delivery import ATTEMPT_HEADER, Delivery
from servicekit.publisher import Message, Publisher, PublishingFailed
from servicekit.router import Router

logger = logging.getLogger(__name__)

IMMEDIATE_TRIES = 5
IDLE_SECONDS = 0.5


class _Queue:
    """One work queue on a channel of its own: deliveries in hand, in order."""

    def __init__(self, connection: kombu.Connection, name: str, prefetch: int) -> None:
        self.name = name
        self.hand: deque[Delivery] = deque()
        self._channel: amqp.Channel = connection.channel()
        self._channel.auto_decode = False
        self._channel.basic_qos(0, prefetch, False)
        self._channel.basic_consume(name, callback=self._on_message)

    def ack_through(self, tag: int) -> None:
        """Acknowledge this delivery and all before it on the channel."""
        self._channel.basic_ack(tag, multiple=True)

    def _on_message(self, message: amqp.Message) -> None:
        self.hand.append(as_delivery(message))


def as_delivery(message: amqp.Message) -> Delivery:
    """Take from a py-amqp message what we read, as it came."""
    body = message.body
    return Delivery(
        tag=message.delivery_info["delivery_tag"],
        body=body.encode("utf-8", "surrogateescape") if isinstance(body, str) else bytes(body),
        headers=dict(message.properties.get("application_headers") or {}),
        content_type=str(message.properties.get("content_type") or ""),
    )


class _Pulse:
    """Sends heartbeats while a handler runs: py-amqp has no thread for it, and the broker drops a silent peer.

    The lock is held by whoever uses the connection; the pulse only ever writes between those uses.
    """

    def __init__(self, connection: kombu.Connection) -> None:
        self.lock = threading.Lock()
        self._connection = connection
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(timeout=2)

    def _beat(self) -> None:
        while not self._ended.wait(broker.HEARTBEAT_SECONDS / 3):
            with self.lock, contextlib.suppress(Exception):  # a dead connection shows at its next use
                self._connection.connection.send_heartbeat()


class Consumer:
    """Consumes some queues of one service until it is told to stop."""

    def __init__(
        self,
        router: Router,
        url: str,
        *,
        batch: int = 100,
        queues: Sequence[str] = (),
        publisher: Publisher | None = None,
    ) -> None:
        self._router = router
        self._url = url
        self._batch = batch
        self._names = list(queues) or list(router.queues)
        self._publisher = publisher or Publisher(url)
        self._stopping = False

    def run(self) -> None:
        """Consume until SIGTERM; wait out brokers and databases that are away. What is in hand then is finished or given back."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Like `run`, without the signals: somebody else calls `stop`."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            try:
                self._consume()
            except Exception as error:
                if not isinstance(error, OSError | amqp.AMQPError | kombu.exceptions.KombuError):
                    logger.exception("consumer stumbled")  # a fault of ours: give all back, and try again
                failures = 0 if time.monotonic() - started > 30 else min(failures + 1, 5)
                with contextlib.suppress(DatabaseError, InterfaceError):
                    heartbeats.beat("consumer")  # waiting for the broker is a sign of life too
                self._rest(min(0.2 * 2**failures, 5.0) * random.uniform(0.5, 1.0), error)  # noqa: S311 - jitter
        self._publisher.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the batch in hand."""
        self._stopping = True

    def _consume(self) -> None:
        connection = broker.connect(self._url)
        pulse = _Pulse(connection)
        try:
            queues = [_Queue(connection, name, 2 * self._batch) for name in self._names]
            dead = _Queue(connection, broker.dead_name(self._router.service), 10)
            logger.info("consumer ready", extra={"queues": self._names})
            while not self._stopping:
                self._take_in(connection, pulse, [*queues, dead])
                for queue in queues:
                    self._empty(pulse, queue, self.handle)
                self._empty(pulse, dead, self._bury)
                self._housekeeping()
        finally:
            pulse.end()
            connection.collect(socket_timeout=1)

    def _take_in(self, connection: kombu.Connection, pulse: _Pulse, queues: list[_Queue]) -> None:
        """Wait for a first delivery, then take what else is there; a batch forms by itself and nobody waits for one."""
        wait = IDLE_SECONDS
        with pulse.lock:
            while max(len(queue.hand) for queue in queues) < self._batch:
                try:
                    connection.drain_events(timeout=wait)
                except TimeoutError:
                    break
                wait = 0.0
            connection.heartbeat_check()

    def _empty(self, pulse: _Pulse, queue: _Queue, handle: Callable[[str, Sequence[Delivery]], None]) -> None:
        while queue.hand and not self._stopping:
            started = time.monotonic()
            batch = [queue.hand.popleft() for _ in range(min(self._batch, len(queue.hand)))]
            if self._persist(lambda batch=batch: handle(queue.name, batch)):  # type: ignore[misc]
                with pulse.lock:
                    queue.ack_through(batch[-1].tag)
                rest_after(started, is_full=len(batch) == self._batch)

    def _persist(self, work: Callable[[], None]) -> bool:
        """Do the work however long the database (or the broker, for a retry) is away; False if told to stop before it is back."""
        pause = 0.1
        while not self._stopping:
            try:
                work()
            except Exception as error:
                if not _is_away(error):
                    raise
                database.close()
                self._rest(pause, error)
                pause = min(pause * 2, 2.0)
            else:
                return True
        return False

    def handle(self, queue: str, batch: Sequence[Delivery]) -> None:
        """Handle a batch; what fails in it is retried, delayed or given up on, so that all of it may be acknowledged.

        Raises:
            Exception: the database or, for a retry, the broker is away; the same batch may simply be handled again.
        """
        try:
            self._attempt(queue, batch)
        except Exception as error:
            if _is_away(error):
                raise
            if len(batch) == 1:
                self._put_off(queue, batch[0], error)
                return
            logger.warning(
                "batch failed, isolating",
                extra={"queue": queue, "size": len(batch), "error": repr(error)[:300]},
            )
            for one in batch:
                self.handle(queue, [one])

    def _attempt(self, queue: str, batch: Sequence[Delivery]) -> None:
        for left in reversed(range(IMMEDIATE_TRIES)):
            try:
                handle_batch(queue, self._router.queues[queue], batch)
            except Exception as error:
                if not left or not is_deadlock(error):
                    raise
            else:
                return

    def _put_off(self, queue: str, delivery: Delivery, error: Exception) -> None:
        """Send the delivery to the next delay queue, or give up on it. Its own ack follows the broker's confirm."""
        delays = list(broker.RETRY_DELAYS)
        attempt = delivery.attempt
        detail = f"{type(error).__name__}: {error}"[:2000]
        logger.warning("handler failed", extra={"queue": queue, "attempt": attempt}, exc_info=error)
        if attempt >= len(delays):
            deadletters.store(queue, delivery, deadletters.HANDLER_FAILED, detail)
            return
        headers = {name: value for name, value in delivery.headers.items() if str(name).startswith("ce-")}
        headers[ATTEMPT_HEADER] = attempt if is_locked(error) else attempt + 1
        retry = broker.retry_name(self._router.service, delays[attempt])
        message = Message(delivery.tag, retry, queue, delivery.body, headers, delivery.content_type)
        refused = self._publisher.publish([message]).refused
        if refused:
            detail = f"{detail} (and could not be delayed: {refused[delivery.tag]})"
            deadletters.store(queue, delivery, deadletters.HANDLER_FAILED, detail)
            return
        metrics.EVENTS_HANDLED.labels(queue, str(headers.get("ce-type", "")), "put_off").inc()

    def _bury(self, queue: str, batch: Sequence[Delivery]) -> None:
        """Move what the broker gave up on into the table."""
        for delivery in batch:
            origin, reason = first_death(delivery.headers)
            headers = {
                name: value for name, value in delivery.headers.items() if not str(name).startswith("x-")
            }
            letter = Delivery(delivery.tag, delivery.body, headers, delivery.content_type)
            reason = reason or deadletters.DELIVERY_LIMIT
            deadletters.store(origin or queue, letter, reason, f"the broker gave up on it: {reason}")

    def _housekeeping(self) -> None:
        self._persist(lambda: heartbeats.beat("consumer"))

    def _rest(self, seconds: float, error: BaseException) -> None:
        logger.warning("consumer waits", extra={"seconds": round(seconds, 2), "error": repr(error)[:300]})
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _is_away(error: BaseException) -> bool:
    return is_database_away(error) or isinstance(error, PublishingFailed)


def first_death(headers: Mapping[Any, Any]) -> tuple[str, str]:
    """Return queue and reason of the latest dead-lettering, as RabbitMQ's x-death header tells it; empty if it does not."""
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    return str(death.get("queue", "")), str(death.get("reason", ""))


def consumer_from_settings(router: Router, queues: Sequence[str]) -> Consumer:
    """Return the consumer of the service whose settings are loaded."""
    return Consumer(router, settings.BROKER_URL, batch=settings.CONSUMER_BATCH, queues=queues)
