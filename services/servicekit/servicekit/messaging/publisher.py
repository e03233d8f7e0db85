"""Publishing with confirms that belong to the message they confirm.

py-amqp's own confirming publish takes any ack on the channel for its own, so a late ack of a lost
message "confirms" the next message (docs/adr/0004-own-windowed-publisher.md). Here each delivery
tag is tracked, a whole window of messages is in flight at once, an unroutable message is recognised
by its return, and the connection is dropped after any error.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import amqp
import kombu

from servicekit.messaging.connection import HEARTBEAT_SECONDS, connect, keep_alive

#: A confirm that takes longer means a blocked or dead broker; quorum queues need milliseconds.
CONFIRM_TIMEOUT_SECONDS = 5.0
PERSISTENT, MANDATORY = 2, True


class PublishingFailed(ConnectionError):
    """Nobody knows which messages of the window arrived; the connection was dropped."""


class ChannelRefused(PublishingFailed):
    """The broker closed the channel over one of the messages, and does not say which.

    It does so for a missing exchange, a missing permission, or a message that is too large.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the broker. `key` is the caller's name for it, returned in the outcome."""

    key: Any
    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any]
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The keys of the messages that the broker took, and why it did not take the others."""

    confirmed: list[Any]
    refused: dict[Any, str]


class Publisher:
    """Publishes windows of messages over a connection of its own, made when it is needed."""

    def __init__(
        self, url: str, *, confirm_timeout_seconds: float = CONFIRM_TIMEOUT_SECONDS
    ) -> None:
        self._url = url
        self._timeout = confirm_timeout_seconds
        self._connection: kombu.Connection | None = None
        self._channel: _ConfirmingChannel | None = None
        self._used_at = 0.0

    def publish(self, messages: Sequence[Message]) -> Outcome:
        """Publish all, mandatory and persistent, and wait for every confirm.

        Raises:
            ChannelRefused: the broker closed the channel over one of them.
            PublishingFailed: the broker is away or did not confirm in time. After either error
                each message of the window may or may not have arrived.
        """
        if time.monotonic() - self._used_at > HEARTBEAT_SECONDS:
            self.close()  # without heartbeats the broker has closed it by now, or soon will
        try:
            if self._channel is None:
                self._connection = connect(self._url)
                self._channel = _ConfirmingChannel(self._connection, self._timeout)
            outcome = self._channel.publish(messages)
        except Exception as error:
            # A confirm that is still under way would be taken for one of the next window's.
            self.close()
            failure = ChannelRefused if isinstance(error, amqp.ChannelError) else PublishingFailed
            raise failure(f"{type(error).__name__}: {error}") from error
        self._used_at = time.monotonic()
        return outcome

    def keep_alive(self) -> None:
        """Send heartbeats, and notice a dead connection, while there is nothing to publish.

        Raises:
            PublishingFailed: the connection is dead; it was dropped.
        """
        if self._connection is None:
            return
        try:
            keep_alive(self._connection)
            self._used_at = time.monotonic()
        except Exception as error:
            self.close()
            raise PublishingFailed(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Drop the connection; the next publish opens another."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(socket_timeout=1)


@contextlib.contextmanager
def _corked(connection: socket.socket) -> Iterator[None]:
    """Send what is written in the block in full segments (tcp(7), TCP_CORK).

    Otherwise each message is a segment, for which the kernel wakes the broker.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        # Of a connection that is lost the caller learns by itself.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


class _ConfirmingChannel:
    """A channel in confirm mode, for one window at a time, and not used again after an error."""

    def __init__(self, connection: kombu.Connection, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout = timeout_seconds
        self._channel: amqp.Channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._last_tag = 0
        #: By delivery tag, which both sides count from 1: what the broker has not confirmed yet.
        self._unconfirmed: dict[int, Message] = {}
        self._refused: dict[Any, str] = {}

    def publish(self, messages: Sequence[Message]) -> Outcome:
        self._refused = {}
        # basic_publish() looks for incoming frames and sets the socket's timeout for each message,
        # which takes half of its time. Here the timeout is set once for the window.
        transport = self._connection.connection.transport
        with transport.having_timeout(self._timeout), _corked(transport.sock):
            for message in messages:
                self._last_tag += 1
                self._unconfirmed[self._last_tag] = message
                self._send(message)
        self._await_confirms()
        refused = self._refused
        confirmed = [message.key for message in messages if message.key not in refused]
        return Outcome(confirmed, refused)

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
        while self._unconfirmed:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                missing = len(self._unconfirmed)
                raise TimeoutError(f"{missing} confirms did not come within {self._timeout} s")
            self._connection.drain_events(timeout=remaining)

    def _settle(self, tag: int, multiple: bool) -> list[Message]:
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(each) for each in tags]

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for message in self._settle(tag, multiple):
            self._refused[message.key] = "the broker refused it: the queue is full or unavailable"

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        # RabbitMQ returns an unroutable message first and confirms it afterwards, so it is still
        # among the unconfirmed. A return carries no delivery tag; the message id tells which it is.
        returned = message.properties.get("message_id")
        unconfirmed = self._unconfirmed.values()
        key = next(each.key for each in unconfirmed if str(each.key) == returned)
        reason = f"no queue takes {routing_key} from {exchange}: is the binding missing?"
        self._refused[key] = reason
