"""The event on the wire: CloudEvents 1.0 in binary mode over AMQP 0-9-1, and its data as pydantic.

A producer defines `class OrderPlaced(PublishedEvent)` in `<service>/events.py`. A consumer declares
the fields that it reads in a `class OrderPlaced(ConsumedEvent, service="orders")` of its own. Both
derive the same wire name, `orders.order_placed.v1`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel, ConfigDict
from uuid_utils.compat import uuid7

from servicekit.context import valid_traceparent
from servicekit.wire_types import MAX_BIG_INTEGER, TIME, is_storable

CONTENT_TYPE = "application/json"
#: The largest event. This times its prefetch bounds what a consumer holds in memory
#: (docs/adr/0007-batches-are-bounded-by-work.md).
MAX_DATA_BYTES = 256 * 1024
#: The length of the columns for type and subject.
MAX_ATTRIBUTE_LENGTH = 200
#: The headers of every event, and those of some (docs/events.md). They are checked here because the
#: library fills in a missing id, time or version: an event without an id would be new to the inbox
#: at each delivery, and have its effect each time.
REQUIRED_HEADERS = (
    "ce-id",
    "ce-type",
    "ce-source",
    "ce-specversion",
    "ce-subject",
    "ce-sequence",
    "ce-time",
)
OPTIONAL_HEADERS = ("ce-traceparent", "ce-causationid")
SEQUENCE = re.compile(r"\d{1,19}", re.ASCII)


class InvalidEnvelope(ValueError):
    """The message is not a CloudEvent as docs/events.md describes it."""


def wire_name(service: str, class_name: str, major: int) -> str:
    """Return `<service>.<event>.v<major>`, the CloudEvents type and the routing key."""
    return f"{service}.{re.sub(r'(?<!^)(?=[A-Z])', '_', class_name).lower()}.v{major}"


class PublishedEvent(BaseModel):
    """Base of the events that a service publishes.

    The service is the first part of the defining module's name. An event that is not urgent lets
    those of the service that are go first. All events of an aggregate must be alike, since order is
    kept among urgent events and among the others (docs/adr/0086-urgent-events-go-first.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    major: ClassVar[int] = 1
    is_urgent: ClassVar[bool] = True
    type: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.type = wire_name(cls.__module__.partition(".")[0], cls.__name__, cls.major)


class ConsumedEvent(BaseModel):
    """Base of what a service reads of others' events; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]

    def __init_subclass__(cls, service: str = "", major: int = 1, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, service: str = "", major: int = 1, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.type = wire_name(service, cls.__name__, major)


class _UnchangedData(JSONFormat):
    """Passes the data through as bytes: pydantic encodes and decodes them."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        return bytes(data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        return body


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event: the CloudEvents attributes we use, and the data as exact JSON bytes.

    `subject` is the aggregate's id, `sequence` that aggregate's own version. `causation` is the id
    of the event that led to this one. `traceparent` is W3C Trace Context, stored with the outbox
    row so that the trace does not begin in the relay.
    """

    id: UUID
    type: str
    source: str
    subject: str
    sequence: int
    time: datetime
    data: bytes
    traceparent: str | None = None
    causation: UUID | None = None

    def to_amqp(self) -> tuple[dict[str, str], bytes]:
        """Return the headers (`ce-…`) and the body."""
        attributes: dict[str, Any] = {
            "id": str(self.id),
            "type": self.type,
            "source": self.source,
            "specversion": "1.0",
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": CONTENT_TYPE,
            "sequence": str(self.sequence),
        }
        if self.traceparent:
            attributes["traceparent"] = self.traceparent
        if self.causation:
            attributes["causationid"] = str(self.causation)
        message = to_binary(CloudEvent(attributes, self.data), _UnchangedData())
        return message.headers, message.body

    @classmethod
    def from_amqp(
        cls, *, headers: Mapping[str, Any], content_type: str | None, body: bytes
    ) -> "Envelope":
        """Decode an envelope.

        Raises:
            InvalidEnvelope: an attribute is missing or malformed, or the content type is not JSON.
        """
        if (content_type or "").partition(";")[0].strip() != CONTENT_TYPE:
            raise InvalidEnvelope(f"content type is {content_type!r:.100}, not {CONTENT_TYPE}")
        try:
            message = RabbitMQMessage(_attributes(headers), content_type, body)
            return _decoded(from_binary(message, _UnchangedData(), CloudEvent), body)
        # The binding and the parsers raise errors of many types, which all mean the same.
        except Exception as error:
            raise InvalidEnvelope(f"{type(error).__name__}: {error}"[:500]) from error


def _decoded(event: BaseCloudEvent, body: bytes) -> Envelope:
    causation = event.get_extension("causationid")
    return Envelope(
        id=UUID(event.get_id()),
        type=_bounded(event.get_type()),
        source=_bounded(event.get_source()),
        subject=_bounded(event.get_subject() or ""),
        sequence=_sequence(event.get_extension("sequence")),
        time=cast(datetime, event.get_time()),  # required, so it is there
        data=body,
        traceparent=valid_traceparent(event.get_extension("traceparent")),
        causation=None if causation is None else UUID(causation),
    )


def _attributes(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that we read, by their exact names.

    The library ignores case and takes the last of two spellings, which a stranger could add.
    """
    names = (*REQUIRED_HEADERS, *OPTIONAL_HEADERS)
    attributes = {name: headers[name] for name in names if isinstance(headers.get(name), str)}
    missing = [name for name in REQUIRED_HEADERS if name not in attributes]
    if missing:
        raise ValueError(f"{', '.join(missing)}: missing, or not text")
    if not TIME.fullmatch(attributes["ce-time"]):
        raise ValueError("ce-time is not a time as in RFC 3339")
    return attributes


def _bounded(text: str) -> str:
    if len(text) > MAX_ATTRIBUTE_LENGTH or not is_storable(text):
        raise ValueError(f"an attribute has more than {MAX_ATTRIBUTE_LENGTH} characters, or a NUL")
    return text


def _sequence(text: str) -> int:
    if not SEQUENCE.fullmatch(text) or int(text) > MAX_BIG_INTEGER:
        raise ValueError("the sequence is not a number from 0 to 2**63 - 1")
    return int(text)


def new_envelope(
    event: PublishedEvent,
    *,
    subject: str,
    sequence: int,
    causation: UUID | None = None,
    traceparent: str | None = None,
) -> Envelope:
    """Wrap an event of this service: a new UUIDv7, the present time, the data as JSON.

    pydantic writes decimals as strings and times as in RFC 3339.
    """
    return Envelope(
        id=uuid7(),
        type=event.type,
        source="/" + event.type.partition(".")[0],
        subject=subject,
        sequence=sequence,
        time=datetime.now(UTC),
        data=event.model_dump_json().encode(),
        traceparent=traceparent,
        causation=causation,
    )
