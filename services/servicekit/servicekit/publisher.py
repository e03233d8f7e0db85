"""Publishing with confirms that belong to the message they confirm.

py-amqp's own confirming publish takes any ack on the channel for its own, so a late ack of a lost message "confirms" the next one
(reference: docs/adr/0004-own-windowed-publisher.md). Here each delivery tag is tracked, a whole window is in flight at once, an
unroutable message is told apart by its return, and after any error the connection is gone.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import amqp
import kombu

from servicekit import broker

#: A confirm that takes longer means a blocked or dead broker; quorum queues confirm within milliseconds.
CONFIRM_TIMEOUT_SECONDS = 5.0
PERSISTENT = 2


class PublishingFailed(ConnectionError):
    """The window's fate is unknown: the connection was dropped, publish again."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker. `key` is the caller's own name for it, given back with the outcome."""

    key: Any
    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any]
    content_type: str = "application/json"
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which messages the broker took, and why it did not take the others."""

    confirmed: list[Any]
    refused: dict[Any, str]


class Publisher:
    """Publishes windows of messages over one connection of its own, made when it is needed."""

    def __init__(self, url: str, *, confirm_timeout_seconds: float = CONFIRM_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = confirm_timeout_seconds
        self._connection: kombu.Connection | None = None
        self._channel: amqp.Channel | None = None
        self._window = _Window([])

    def publish(self, messages: Sequence[Message]) -> Outcome:
        """Publish all, mandatory and persistent, and wait for every confirm.

        Raises:
            PublishingFailed: the broker is away, closed the channel or did not confirm in time; all of the window may or may not
                have arrived.
        """
        try:
            return self._publish(messages)
        except Exception as error:
            self.close()
            raise PublishingFailed(f"{type(error).__name__}: {error}") from error

    def tick(self) -> None:
        """Keep the heartbeat going and notice a dead connection while there is nothing to publish.

        Raises:
            PublishingFailed: the connection is dead; it was dropped.
        """
        if self._connection is None:
            return
        try:
            with contextlib.suppress(TimeoutError, BlockingIOError):
                self._connection.drain_events(timeout=0.001)
            self._connection.heartbeat_check()
        except Exception as error:
            self.close()
            raise PublishingFailed(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Drop the connection; the next publish makes a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(socket_timeout=1)

    def _publish(self, messages: Sequence[Message]) -> Outcome:
        channel = self._open_channel()
        self._window = _Window(messages)
        for message in messages:
            channel.basic_publish(
                amqp.Message(
                    message.body,
                    content_type=message.content_type,
                    content_encoding="utf-8",
                    delivery_mode=PERSISTENT,
                    message_id=message.message_id or None,
                    application_headers=message.headers,
                ),
                exchange=message.exchange,
                routing_key=message.routing_key,
                mandatory=True,
                timeout=self._timeout,
            )
        self._drain_until(lambda: not self._window.open)
        return self._window.outcome()

    def _open_channel(self) -> amqp.Channel:
        if self._channel is None:
            self._connection = broker.connect(self._url)
            channel = self._connection.channel()
            channel.confirm_select()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_nack)
            channel.events["basic_return"].add(self._on_return)
            self._channel = channel
        self._channel_offset()
        return self._channel

    def _channel_offset(self) -> None:
        self._first_tag = getattr(self, "_next_tag", 1)

    def _drain_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self._window.open)} confirms did not come within {self._timeout} s")
            assert self._connection is not None  # noqa: S101 - for the type checker
            self._connection.drain_events(timeout=left)

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        self._window.settle(delivery_tag, multiple=multiple)

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:
        self._window.settle(delivery_tag, multiple=multiple, refusal="the broker refused it (queue full or unavailable)")

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._window.returned(message, f"no queue takes {routing_key} of {exchange}")


class _Window:
    pass
