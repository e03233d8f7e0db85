"""What becomes of a message whose handler failed: another try after a delay, or a dead letter (docs/events.md has the table)."""

import logging
from collections.abc import Sequence

from servicekit.database import is_locked
from servicekit.messaging import dead_letters, topology
from servicekit.messaging.delivery import ATTEMPT_HEADER, HANDLER_FAILED, Delivery
from servicekit.messaging.publisher import Message, Publisher, PublishingFailed
from servicekit.messaging.router import RowsLocked
from servicekit.operations import metrics

logger = logging.getLogger(__name__)


class Retries:
    """Sends failed deliveries of one service to its delay queues."""

    def __init__(self, service: str, publisher: Publisher) -> None:
        self._service = service
        self._publisher = publisher

    def put_off(self, queue: str, deliveries: Sequence[Delivery], error: Exception) -> list[Delivery]:
        """Send each delivery to its next delay queue, or make it a dead letter when it has had every try.

        Returns those that the broker does not take now, as they should be tried again: it is away, blocked by an alarm, or its delay
        queue is full. All others may be acknowledged, since the broker has confirmed their copies.

        Raises:
            DatabaseError: a dead letter could not be stored; nothing may be acknowledged.
        """
        is_counted = not (is_locked(error) or isinstance(error, RowsLocked))
        again = []
        for delivery in deliveries:
            if delivery.attempt < len(topology.RETRY_DELAYS):
                again.append(delivery)
            else:
                dead_letters.store(queue, delivery, HANDLER_FAILED, _detail(error))
        refused = self._refused([self._message(queue, one, is_counted) for one in again])
        metrics.EVENTS_HANDLED.labels(queue, "", "put_off").inc(len(again) - len(refused))
        return [next_try(one, is_counted) for one in again if one.tag in refused]

    def close(self) -> None:
        """Drop the connection to the broker."""
        self._publisher.close()

    def _refused(self, messages: list[Message]) -> set[int]:
        if not messages:
            return set()
        try:
            return set(self._publisher.publish(messages).refused)
        except PublishingFailed as error:
            logger.warning("retries wait in this process", extra={"error": str(error)[:300]})
            return {message.key for message in messages}

    def _message(self, queue: str, delivery: Delivery, is_counted: bool) -> Message:
        exchange = topology.retry_name(self._service, list(topology.RETRY_DELAYS)[delivery.attempt])
        headers = next_try(delivery, is_counted).headers
        return Message(delivery.tag, exchange, queue, delivery.body, headers, delivery.content_type)


def next_try(delivery: Delivery, is_counted: bool) -> Delivery:
    """Return the delivery as its next try will see it; waiting for a lock is not counted."""
    headers = {name: value for name, value in delivery.headers.items() if str(name).startswith("ce-")}
    headers[ATTEMPT_HEADER] = delivery.attempt + is_counted
    return Delivery(delivery.tag, delivery.body, headers, delivery.content_type)


def delay_seconds(delivery: Delivery) -> int:
    """Return how long a delivery made by `next_try` waits before it."""
    delays = list(topology.RETRY_DELAYS.values())
    return delays[min(max(delivery.attempt - 1, 0), len(delays) - 1)]


def _detail(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
