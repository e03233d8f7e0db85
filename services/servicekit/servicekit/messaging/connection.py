"""Connections to RabbitMQ over py-amqp, and the heartbeats that keep them open."""

import contextlib
import threading

import kombu
from amqp import method_framing
from amqp.basic_message import Message

#: Seconds between heartbeats. The broker closes a connection on which it misses two;
#: rabbitmq.com/docs/heartbeats advises 5 to 20.
HEARTBEAT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5


class TolerantMessage(Message):  # type: ignore[misc]
    """A message whose unreadable properties are left out, instead of an error.

    py-amqp raises in the middle of the connection's stream, for instance over a timestamp in
    milliseconds. The broker would deliver the same message again over each new connection, and
    no consumer would get past it. This way it arrives and becomes a dead letter.
    """

    def _load_properties(self, class_id: int, buf: bytes, offset: int) -> None:
        try:
            super()._load_properties(class_id, buf, offset)
        except Exception as error:  # the properties come from outside: any error of parsing
            reason = f"unreadable properties: {type(error).__name__}: {error}"
            self.properties = {"content_type": reason}


method_framing.Message = TolerantMessage  # py-amqp offers no other way to choose the class


def connect(url: str) -> kombu.Connection:
    """Return an established connection with heartbeats.

    The caller sends them with `keep_alive`, or leaves it to a `HeartbeatThread`.

    Raises:
        OSError, amqp.AMQPError: the broker is away or refuses the connection.
    """
    connection = kombu.Connection(
        url,
        heartbeat=HEARTBEAT_SECONDS,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        # Without these, a broker that is silent (or blocks publishers) would hang the process.
        transport_options={
            "read_timeout": HEARTBEAT_SECONDS,
            "write_timeout": HEARTBEAT_SECONDS,
            "client_properties": {"product": "souk"},
        },
    )
    connection.connect()
    return connection


def keep_alive(connection: kombu.Connection) -> None:
    """Read what has arrived on an idle connection, and send a heartbeat if it is due.

    Raises:
        OSError, amqp.AMQPError: the connection is dead.
    """
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=0.0005)
    connection.heartbeat_check()


class HeartbeatThread:
    """Sends heartbeats while a handler runs.

    py-amqp sends them only when it is called, and the broker closes a connection that is silent
    for two intervals, which would deliver the whole batch again. py-amqp is not thread-safe
    either: whoever uses the connection holds `lock`, and the thread writes only in between.
    """

    def __init__(self, connection: kombu.Connection) -> None:
        self.lock = threading.Lock()
        self._connection = connection
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stopped.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS / 3):
            # A dead connection shows at its next use; this thread has nobody to tell.
            with self.lock, contextlib.suppress(Exception):
                self._connection.connection.send_heartbeat()
