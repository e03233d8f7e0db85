"""What cannot be handled is stored whole with its reason, and its neighbours are handled."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from servicekit.messaging import dead_letters, topology
from servicekit.messaging.delivery import (
    HANDLER_FAILED,
    ID_REUSED,
    INVALID_DATA,
    INVALID_ENVELOPE,
    NOT_JSON,
    TOO_LARGE,
    UNKNOWN_TYPE,
    Delivery,
)
from servicekit.messaging.publisher import Publisher
from servicekit.models import DeadLetter
from servicekit.testing.deliver import make_delivery
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder, consuming
from tests.messaging.helpers import Sender, nested
from tests.project.consumed import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


BAD = {
    "empty": (b"", {}, INVALID_ENVELOPE),
    "no envelope": (b"{}", {}, INVALID_ENVELOPE),
    "not json": (b"{nope", "headers", NOT_JSON),
    "a scalar": (b"7", "headers", INVALID_DATA),
    "missing field": (b"{}", "headers", INVALID_DATA),
    "wrong type of field": (b'{"order_id": [1]}', "headers", INVALID_DATA),
    "not utf-8": (b'{"order_id": "\xff\xfe"}', "headers", NOT_JSON),
    "5 MB": (b"x" * 5_000_000, "headers", TOO_LARGE),
    "deep": (b"[" * 100_000, "headers", NOT_JSON),
    "strange headers": (
        b"{}",
        {"souk-attempt": -100, "ce-id": {"a": [1.5]}, "nul\0": ["\0", {"a": b"\xff"}]},
        INVALID_ENVELOPE,
    ),
    "nul in a header": (b"{}", {"ce-id": "a\0b", "ce-type": "\0"}, INVALID_ENVELOPE),
}


def test_bad_messages_become_dead_letters_and_good_ones_settle(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    for name, (body, headers, _reason) in BAD.items():
        sender.event(f"before {name}")
        sender.raw(
            body,
            **(make_delivery(OrderPlaced.type, {}).headers if headers == "headers" else headers),
        )
    sender.raw(b"{}", **make_delivery("orders.never_heard_of.v1", {}).headers)
    sender.raw(b"{}", content_type="text/plain", **make_delivery(OrderPlaced.type, {}).headers)
    sender.event("after all")

    with consuming(recorder, broker_url):
        wait_until(lambda: "after all" in recorder.handled)
        wait_until(lambda: DeadLetter.objects.count() == len(BAD) + 2)

    assert len(recorder.handled) == len(BAD) + 1
    expected = [reason for _, _, reason in BAD.values()] + [
        UNKNOWN_TYPE,
        INVALID_ENVELOPE,
    ]
    assert sorted(DeadLetter.objects.values_list("reason", flat=True)) == sorted(expected)
    assert not DeadLetter.objects.filter(detail="").exists()


@pytest.mark.parametrize(
    "properties",
    [{"timestamp": 1_700_000_000_000_000}, {"headers": nested(600)}],
    ids=["a timestamp in another unit", "headers nested 600 deep"],
)
def test_message_that_the_client_library_cannot_read_is_a_dead_letter(
    broker_url: str,
    sender: Sender,
    recorder: Recorder,
    broker_admin: Any,
    vhost: str,
    properties: dict[str, Any],
) -> None:
    """py-amqp raises in the middle of the stream: the connection would be lost again and again."""
    message = {
        "routing_key": QUEUE,
        "payload": "{}",
        "payload_encoding": "string",
        "properties": properties,
    }
    answer = broker_admin.call(
        "POST", f"/exchanges/{vhost}/{topology.redrive_name('products')}/publish", message
    )
    assert answer == {"routed": True}
    sender.event("behind it")

    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["behind it"])

    assert DeadLetter.objects.get().reason == INVALID_ENVELOPE


@pytest.mark.parametrize(
    "headers",
    [
        {b"\xff": 1},
        {"nan": float("nan")},
        {"a": nested(3000)},
        {"\ud800": "\udfff"},
        {"at": timezone.now()},
    ],
    ids=["key of bytes", "not a number", "deep", "lone surrogates", "time"],
)
def test_any_headers_fit_in_a_dead_letter(headers: dict[str, Any]) -> None:
    delivery = Delivery(tag=1, body=b"\0\xff", headers=headers)

    dead_letters.store(QUEUE, delivery, NOT_JSON, "d\0tail")

    assert bytes(DeadLetter.objects.get().body) == b"\0\xff"


def test_what_is_added_on_the_way_makes_no_other_letter() -> None:
    """A crash between the copy for a retry and the acknowledgement leaves the same event twice,
    with other headers.
    """
    first = make_delivery(OrderPlaced.type, {"order_id": "one"})
    for added in ({}, {"souk-attempt": 2}, {"x-death": [{"count": 3}]}, {"x-delivery-count": 1}):
        letter = Delivery(1, first.body, {**first.headers, **added}, first.content_type)
        dead_letters.store(QUEUE, letter, HANDLER_FAILED, "")

    assert DeadLetter.objects.count() == 1


def test_known_id_with_other_content_is_an_alarm(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    event_id = uuid4()
    sender.event("true", event_id=event_id)
    sender.event("forged", event_id=event_id)

    with consuming(recorder, broker_url):
        wait_until(DeadLetter.objects.exists)

    assert recorder.handled == ["true"]
    assert DeadLetter.objects.get().reason == ID_REUSED


def test_redriven_letter_is_handled_after_the_repair(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    sender.raw(b'{"order_id": "later"}', **make_delivery("orders.order_renamed.v1", {}).headers)
    with consuming(recorder, broker_url):
        wait_until(DeadLetter.objects.exists)

    recorder.router.queues[QUEUE]["orders.order_renamed.v1"] = recorder.router.queues[QUEUE][
        OrderPlaced.type
    ]
    letter = DeadLetter.objects.get()
    publisher = Publisher(broker_url)
    dead_letters.redrive(
        letter_ids=[letter.pk],
        publisher=publisher,
        service="products",
        by="ops",
        note="handler added",
    )
    publisher.close()
    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["later"])

    letter.refresh_from_db()
    assert letter.state == DeadLetter.State.REDRIVEN
    assert [(each.action, each.by, each.note) for each in letter.actions.all()] == [
        ("redriven", "ops", "handler added")
    ]
    with pytest.raises(dead_letters.LetterNotWaiting):
        dead_letters.discard(letter_ids=[letter.pk], by="ops", note="")


def test_what_the_broker_gave_up_on_is_in_the_table(
    broker_url: str, sender: Sender, recorder: Recorder, broker_admin: Any, vhost: str
) -> None:
    sender.event("hot potato")
    get = {"count": 1, "ackmode": "reject_requeue_false", "encoding": "auto"}
    assert broker_admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", get)

    with consuming(recorder, broker_url):
        letter = wait_until(lambda: DeadLetter.objects.first())

    assert letter.queue == QUEUE
    assert json.loads(bytes(letter.body)) == {"order_id": "hot potato"}
    assert letter.reason == "rejected"
