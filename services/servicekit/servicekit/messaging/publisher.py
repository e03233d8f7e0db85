"""Publishing with confirms that belong to the message they confirm.

py-amqp's own confirming publish takes any ack on the channel for its own, so a late ack of a lost message "confirms" the next one
(reference: docs/adr/0004-own-windowed-publisher.md). Here each delivery tag is tracked, a whole window is in flight at once, an
unroutable message is told apart by its return, and after any error the connection is gone.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import amqp
import kombu

from servicekit.messaging import topology

#: A confirm that takes longer means a blocked or dead broker; quorum queues confirm within milliseconds.
CONFIRM_TIMEOUT_SECONDS = 5.0
PERSISTENT, MANDATORY = 2, True


class PublishingFailed(ConnectionError):
    """The window's fate is unknown: the connection was dropped, publish again."""


class ChannelRefused(PublishingFailed):
    """The broker closed the channel over one of the messages: no such exchange, no permission, too large. It names none."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker. `key` is the caller's own name for it, given back with the outcome."""

    key: Any
    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any]
    content_type: str = "application/json"


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
        self._channel: _ConfirmingChannel | None = None
        self._used_at = 0.0

    def publish(self, messages: Sequence[Message]) -> Outcome:
        """Publish all, mandatory and persistent, and wait for every confirm.

        Raises:
            ChannelRefused: the broker closed the channel over one of them.
            PublishingFailed: the broker is away or did not confirm in time. Either way each message of the window may or may not
                have arrived.
        """
        if time.monotonic() - self._used_at > topology.HEARTBEAT_SECONDS:
            self.close()  # nobody ticked it: the broker has given the connection up, or soon will
        try:
            if self._channel is None:
                self._connection = topology.connect(self._url)
                self._channel = _ConfirmingChannel(self._connection, self._timeout)
            outcome = self._channel.publish(messages)
        except Exception as error:
            self.close()
            failure = ChannelRefused if isinstance(error, amqp.ChannelError) else PublishingFailed
            raise failure(f"{type(error).__name__}: {error}") from error
        self._used_at = time.monotonic()
        return outcome

    def tick(self) -> None:
        """Keep the heartbeat going and notice a dead connection while there is nothing to publish.

        Raises:
            PublishingFailed: the connection is dead; it was dropped.
        """
        if self._connection is None:
            return
        try:
            topology.tick(self._connection)
            self._used_at = time.monotonic()
        except Exception as error:
            self.close()
            raise PublishingFailed(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Drop the connection; the next publish makes a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(socket_timeout=1)


class _ConfirmingChannel:
    """A channel in confirm mode and the tags it has in flight. It is used for one window at a time and never after an error."""

    def __init__(self, connection: kombu.Connection, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout = timeout_seconds
        self._channel: amqp.Channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._last_tag = 0
        self._open: dict[int, Message] = {}
        self._refused: dict[Any, str] = {}

    def publish(self, messages: Sequence[Message]) -> Outcome:
        self._refused = {}
        # basic_publish() would look for incoming frames and set the socket's timeout for each message: half of its time.
        with self._connection.connection.transport.having_timeout(self._timeout):
            for message in messages:
                self._last_tag += 1
                self._open[self._last_tag] = message
                self._send(message)
        self._await_confirms()
        refused = self._refused
        return Outcome([one.key for one in messages if one.key not in refused], refused)

    def _send(self, message: Message) -> None:
        properties = {
            "content_type": message.content_type,
            "content_encoding": "utf-8",
            "delivery_mode": PERSISTENT,
            "message_id": str(message.key),
            "application_headers": message.headers,
        }
        address = (0, message.exchange, message.routing_key, MANDATORY, False)
        self._channel.send_method(
            amqp.spec.Basic.Publish, "Bssbb", address, amqp.Message(message.body, **properties)
        )

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + self._timeout
        while self._open:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self._open)} confirms did not come within {self._timeout} s")
            self._connection.drain_events(timeout=left)

    def _settle(self, tag: int, multiple: bool) -> list[Message]:
        tags = [one for one in self._open if one <= tag] if multiple else [tag]
        return [self._open.pop(one) for one in tags]

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for message in self._settle(tag, multiple):
            self._refused[message.key] = "the broker refused it: the queue is full or unavailable"

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        returned = message.properties.get("message_id")
        key = next(one.key for one in self._open.values() if str(one.key) == returned)
        self._refused[key] = f"no queue takes {routing_key} from {exchange}: is the binding missing?"
