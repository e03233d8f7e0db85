"""A message as the broker delivered it, and its decoding into the event that a handler takes."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from servicekit.messaging import topology
from servicekit.messaging.envelope import MAX_DATA_BYTES, Envelope, InvalidEnvelope
from servicekit.messaging.router import Handler, Received

#: How many tries that count the message has had, written by us when it goes to a retry queue.
ATTEMPT_HEADER = "souk-attempt"

# Why a message could not be handled: `reason` of a dead letter.
NOT_JSON = "not_json"
INVALID_ENVELOPE = "invalid_envelope"
UNKNOWN_TYPE = "unknown_type"
INVALID_DATA = "invalid_data"
TOO_LARGE = "too_large"
ID_REUSED = "id_reused_with_other_content"
HANDLER_FAILED = "handler_failed"
DELIVERY_LIMIT = "delivery_limit"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The raw message. `tag` is the channel's delivery tag, for the acknowledgement."""

    tag: int
    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    content_type: str = ""

    @property
    def event_id(self) -> UUID | None:
        """The event's id, unless it is missing or malformed."""
        try:
            return UUID(str(self.headers.get("ce-id")))
        except ValueError:
            return None

    @property
    def attempt(self) -> int:
        """How many tries that count it has had."""
        value = self.headers.get(ATTEMPT_HEADER, 0)
        return max(0, value) if isinstance(value, int) else 0

    @property
    def retry_delay_seconds(self) -> int:
        """How long a delivery that `for_retry` returned waits before it is handled again."""
        delays = list(topology.RETRY_DELAYS.values())
        return delays[min(max(self.attempt - 1, 0), len(delays) - 1)]

    def for_retry(self, *, is_counted: bool) -> "Delivery":
        """Return the delivery as its next try sees it; waiting for a lock is not counted.

        Only the event's own headers are kept: RabbitMQ's grow with each way through a retry queue.
        """
        names = [name for name in self.headers if str(name).startswith("ce-")]
        headers = {name: self.headers[name] for name in names}
        headers[ATTEMPT_HEADER] = self.attempt + is_counted
        return Delivery(self.tag, self.body, headers, self.content_type)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A delivery that a handler takes."""

    delivery: Delivery
    received: Received[Any]
    handler: Handler


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A delivery that can never be decoded, however often it is tried."""

    delivery: Delivery
    reason: str
    detail: str


def decode(delivery: Delivery, handlers: dict[str, Handler]) -> Decoded | Undecodable:
    """Decode a delivery into the type that its handler declares; never raises."""
    if len(delivery.body) > MAX_DATA_BYTES:
        detail = f"{len(delivery.body)} bytes; at most {MAX_DATA_BYTES} are read"
        return Undecodable(delivery, TOO_LARGE, detail)
    try:
        envelope = Envelope.from_amqp(
            headers=delivery.headers, content_type=delivery.content_type, body=delivery.body
        )
    except InvalidEnvelope as error:
        return Undecodable(delivery, INVALID_ENVELOPE, str(error))
    handler = handlers.get(envelope.type)
    if handler is None:
        return Undecodable(delivery, UNKNOWN_TYPE, f"no handler for {envelope.type!r:.200}")
    return _decode_data(delivery, envelope, handler)


def _decode_data(delivery: Delivery, envelope: Envelope, handler: Handler) -> Decoded | Undecodable:
    try:
        event = handler.event_class.model_validate_json(envelope.data)
    except ValidationError as error:
        reason = NOT_JSON if _is_json_error(error) else INVALID_DATA
        return Undecodable(delivery, reason, str(error)[:2000])
    except RecursionError:
        return Undecodable(delivery, NOT_JSON, "nested too deeply")
    return Decoded(delivery, Received(event, envelope), handler)


def _is_json_error(error: ValidationError) -> bool:
    return error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid"
