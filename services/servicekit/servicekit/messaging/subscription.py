"""One queue as a consumer reads it over py-amqp, and the heartbeats of its connection."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import amqp
import kombu

from servicekit.messaging import topology
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.retries import delay_seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What of a batch must not be acknowledged: deliveries left for the next batch, and those that wait here for a retry."""

    left: list[Delivery] = field(default_factory=list)
    postponed: list[Delivery] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.left + other.left, self.postponed + other.postponed)


class Subscription:
    """One work queue on a channel of its own: deliveries that were prefetched, in order, and those that wait here for a retry."""

    def __init__(self, connection: kombu.Connection, name: str, prefetch: int) -> None:
        self.name = name
        self.prefetched: deque[Delivery] = deque()
        self._postponed: list[tuple[float, Delivery]] = []
        self._channel: amqp.Channel = connection.channel()
        self._channel.auto_decode = False
        self._channel.basic_qos(0, prefetch, False)
        self._channel.basic_consume(name, callback=self._on_message)

    def take(self, limit: int) -> list[Delivery]:
        """Take the next batch of at most `limit`."""
        return [self.prefetched.popleft() for _ in range(min(limit, len(self.prefetched)))]

    def settle(self, batch: Sequence[Delivery], outcome: Outcome) -> None:
        """Acknowledge what was handled of a batch; what is left is the next to be taken, what is postponed waits for its delay.

        Both keep their places in the prefetch window, so the broker sends no more than this process can hold.
        """
        self.prefetched.extendleft(reversed(outcome.left))
        now = time.monotonic()
        self._postponed += [(now + delay_seconds(one), one) for one in outcome.postponed]
        waiting = [one.tag for one in self.prefetched] + [one.tag for _, one in self._postponed]
        handled = {one.tag for one in batch}.difference(waiting)
        if handled and max(handled) < min(waiting, default=max(handled) + 1):
            self._channel.basic_ack(max(handled), multiple=True)
        else:
            for tag in sorted(handled):
                self._channel.basic_ack(tag)

    def resume_postponed(self) -> None:
        """Put the postponed deliveries whose delay is over back among those to handle."""
        now = time.monotonic()
        due = [one for at, one in self._postponed if at <= now]
        self._postponed = [(at, one) for at, one in self._postponed if at > now]
        self.prefetched.extend(due)

    def _on_message(self, message: amqp.Message) -> None:
        self.prefetched.append(as_delivery(message))


def as_delivery(message: amqp.Message) -> Delivery:
    """Take from a py-amqp message what we read, as it came."""
    body = message.body
    return Delivery(
        tag=message.delivery_info["delivery_tag"],
        body=body.encode("utf-8", "surrogateescape") if isinstance(body, str) else bytes(body),
        headers=dict(message.properties.get("application_headers") or {}),
        content_type=str(message.properties.get("content_type") or ""),
    )


class HeartbeatThread:
    """Sends heartbeats while a handler runs: py-amqp has no thread for it, and the broker drops a silent peer.

    The lock is held by whoever uses the connection; the thread only ever writes between those uses.
    """

    def __init__(self, connection: kombu.Connection) -> None:
        self.lock = threading.Lock()
        self._connection = connection
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop and wait for the thread."""
        self._ended.set()
        self._thread.join(timeout=2)

    def _beat(self) -> None:
        while not self._ended.wait(topology.HEARTBEAT_SECONDS / 3):
            with self.lock, contextlib.suppress(Exception):  # a dead connection shows at its next use
                self._connection.connection.send_heartbeat()
