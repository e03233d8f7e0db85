"""One message as the broker delivered it, and what can be read of it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from servicekit.messaging.envelope import MAX_DATA_BYTES, Envelope, InvalidEnvelope
from servicekit.messaging.router import Handler, Received

#: How often our retry queues have brought this message back.
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
        value = self.headers.get(ATTEMPT_HEADER, 0)
        return max(0, value) if isinstance(value, int) else 0


@dataclass(frozen=True, slots=True)
class Readable:
    """A delivery that some handler takes."""

    delivery: Delivery
    received: Received[Any]
    handler: Handler


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A delivery that no try will ever make sense of."""

    delivery: Delivery
    reason: str
    detail: str


def read(delivery: Delivery, handlers: dict[str, Handler]) -> Readable | Unreadable:
    """Decode a delivery into the type that its handler declares; never raises."""
    if len(delivery.body) > MAX_DATA_BYTES:
        detail = f"{len(delivery.body)} bytes; at most {MAX_DATA_BYTES} are read"
        return Unreadable(delivery, TOO_LARGE, detail)
    try:
        envelope = Envelope.from_amqp(
            headers=delivery.headers, content_type=delivery.content_type, body=delivery.body
        )
    except InvalidEnvelope as error:
        return Unreadable(delivery, INVALID_ENVELOPE, str(error))
    handler = handlers.get(envelope.type)
    if handler is None:
        return Unreadable(delivery, UNKNOWN_TYPE, f"no handler for {envelope.type!r:.200}")
    try:
        event = handler.event_class.model_validate_json(envelope.data)
    except ValidationError as error:
        reason = NOT_JSON if _is_json_error(error) else INVALID_DATA
        return Unreadable(delivery, reason, str(error)[:2000])
    except RecursionError:
        return Unreadable(delivery, NOT_JSON, "nested too deeply")
    return Readable(delivery, Received(event, envelope), handler)


def _is_json_error(error: ValidationError) -> bool:
    return error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid"
