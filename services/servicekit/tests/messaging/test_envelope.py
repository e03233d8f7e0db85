"""The envelope: what we rely on has come with the message, and nothing is filled in for it."""

from typing import Any

import pytest

from servicekit.messaging.delivery import Decoded, Undecodable, decode
from servicekit.messaging.envelope import Envelope, InvalidEnvelope
from servicekit.messaging.router import Router
from servicekit.testing.deliver import make_delivery
from tests.project.consumed import OrderPlaced

ALWAYS_THERE = [
    "ce-id",
    "ce-type",
    "ce-source",
    "ce-specversion",
    "ce-subject",
    "ce-sequence",
    "ce-time",
]
WRONG = {
    "ce-time": [
        "2026",
        "2026-01",
        "2026-01-01",
        "2026-01-01T10",
        "20260101T100000Z",
        "2026-01-01T10:00:00",
    ],
    "ce-sequence": ["", " ", "one", "-1", "1_0", "+1", "\u0661", str(2**63)],
    "ce-id": ["", "1", "{}"],
    "ce-specversion": ["", "0.3", "1"],
    "ce-causationid": ["", "1"],
}


def envelope_of(headers: dict[str, Any], content_type: str | None = "application/json") -> Envelope:
    return Envelope.from_amqp(headers=headers, content_type=content_type, body=b"{}")


def headers_of() -> dict[str, Any]:
    return dict(make_delivery(OrderPlaced.type, {}, subject="order-1", sequence=7).headers)


def test_whole_envelope_is_read_as_sent() -> None:
    headers = headers_of()

    envelope = envelope_of(headers)

    assert (str(envelope.id), envelope.subject, envelope.sequence) == (
        headers["ce-id"],
        "order-1",
        7,
    )
    assert envelope.time.isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("name", ALWAYS_THERE)
@pytest.mark.parametrize("spelling", ["absent", "capitals", "not text"])
def test_attribute_that_did_not_come_is_an_invalid_envelope(name: str, spelling: str) -> None:
    headers = headers_of()
    value = headers.pop(name)
    if spelling == "capitals":
        headers[name.upper()] = value
    if spelling == "not text":
        headers[name] = 1

    with pytest.raises(InvalidEnvelope, match=name):
        envelope_of(headers)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_attribute_that_would_be_completed_is_an_invalid_envelope(name: str, value: str) -> None:
    with pytest.raises(InvalidEnvelope):
        envelope_of({**headers_of(), name: value})


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/cloudevents+json"])
def test_content_type_that_did_not_come_is_an_invalid_envelope(content_type: str | None) -> None:
    with pytest.raises(InvalidEnvelope, match="content type"):
        envelope_of(headers_of(), content_type)


def test_second_spelling_of_an_attribute_does_not_replace_it() -> None:
    headers = headers_of()

    envelope = envelope_of({**headers, "CE-ID": "0190b7a1-0000-7000-8000-000000000001"})

    assert str(envelope.id) == headers["ce-id"]


def test_message_without_an_id_is_unreadable_each_time() -> None:
    router = Router("products")
    router.handles_batch("products.orders", OrderPlaced)(lambda _received: None)
    delivery = make_delivery(OrderPlaced.type, {"order_id": "1"})
    handlers = router.queues["products.orders"]
    assert isinstance(decode(delivery, handlers), Decoded)

    del delivery.headers["ce-id"]

    for _ in range(2):
        reading = decode(delivery, handlers)
        assert isinstance(reading, Undecodable)
        assert reading.reason == "invalid_envelope"
