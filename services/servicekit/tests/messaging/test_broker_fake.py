"""One contract, two brokers: what the fake does is what RabbitMQ does."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import transaction

from servicekit.messaging import topology
from servicekit.messaging.dead_letters import first_death
from servicekit.messaging.delivery import HANDLER_FAILED, Delivery
from servicekit.messaging.processing import BatchProcessor
from servicekit.messaging.publisher import Message
from servicekit.messaging.relay import Relay
from servicekit.messaging.topology import Topology
from servicekit.models import DeadLetter
from servicekit.testing.broker import MemoryBroker, RealBroker, TestBroker
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder
from tests.project.events import OrderPlaced

EXCHANGE = "orders.events"


@pytest.fixture(params=["memory", "rabbitmq"])
def any_broker(request: pytest.FixtureRequest, topology: Topology) -> Iterator[TestBroker]:
    if request.param == "memory":
        yield MemoryBroker(topology)
        return
    url, admin, vhost = (
        request.getfixturevalue(name) for name in ("broker_url", "broker_admin", "vhost")
    )
    with closing(RealBroker(url, admin, vhost)) as real:
        yield real


def message(
    key: int, body: bytes = b"{}", routing_key: str = OrderPlaced.type, **headers: Any
) -> Message:
    return Message(key, EXCHANGE, routing_key, body, headers)


def taken(
    any_broker: TestBroker, queue: str, count: int, *, after_seconds: float = 0
) -> list[Delivery]:
    """Take until `count` deliveries are there: RabbitMQ confirms before a message can be fetched by
    everyone.
    """
    any_broker.pass_time(after_seconds)
    deliveries: list[Delivery] = []

    def enough() -> bool:
        deliveries.extend(any_broker.take(queue))
        return len(deliveries) >= count

    wait_until(enough)
    return deliveries


class TestBrokerContract:
    def test_message_reaches_the_queue_that_is_bound_to_its_key(
        self, any_broker: TestBroker
    ) -> None:
        outcome = any_broker.publish([message(7)])

        assert outcome.confirmed == [7]
        assert not outcome.refused
        assert len(taken(any_broker, QUEUE, 1)) == 1
        assert any_broker.take("orders.stock") == []

    def test_every_bound_queue_gets_a_copy(self, any_broker: TestBroker) -> None:
        revoked = Message(1, "users.events", "users.user_sessions_revoked.v1", b"{}", {})

        any_broker.publish([revoked])

        for queue in ("orders.users", "products.users"):
            assert len(taken(any_broker, queue, 1)) == 1

    def test_order_is_kept(self, any_broker: TestBroker) -> None:
        any_broker.publish([message(n, str(n).encode()) for n in range(50)])

        assert [each.body for each in taken(any_broker, QUEUE, 50)] == [
            str(n).encode() for n in range(50)
        ]

    @pytest.mark.parametrize(
        "body",
        [b"", b"\0\xff\xfe", "käse ☃".encode(), b"x" * 1_200_000],
        ids=["empty", "bytes", "text", "long"],
    )
    def test_bytes_come_out_as_they_went_in(self, any_broker: TestBroker, body: bytes) -> None:
        any_broker.publish([message(1, body)])

        assert taken(any_broker, QUEUE, 1)[0].body == body

    def test_headers_come_out_as_they_went_in(self, any_broker: TestBroker) -> None:
        headers = {
            "ce-id": "käse",
            "souk-attempt": 2,
            "list": ["a", {"b": True}],
            "big": 2**40,
            "bytes": b"\xff",
        }

        any_broker.publish([message(1, **headers)])

        delivery = taken(any_broker, QUEUE, 1)[0]
        # Quorum queues count; RabbitMQ 4 leaves out the nought.
        assert delivery.headers in ({**headers, "x-delivery-count": 0}, headers)
        assert delivery.content_type == "application/json"

    def test_unroutable_message_is_refused_and_its_neighbours_are_not(
        self, any_broker: TestBroker
    ) -> None:
        outcome = any_broker.publish(
            [message(1), message(2, routing_key="orders.unheard.v1"), message(3)]
        )

        assert outcome.confirmed == [1, 3]
        assert "no queue takes orders.unheard.v1" in outcome.refused[2]

    def test_event_nobody_consumes_yet_is_routable(self, any_broker: TestBroker) -> None:
        assert any_broker.publish(
            [message(1, routing_key="orders.order_confirmed.v1")]
        ).confirmed == [1]

    def test_unacknowledged_messages_come_back_in_order(self, any_broker: TestBroker) -> None:
        any_broker.publish([message(n, str(n).encode()) for n in range(3)])
        first = taken(any_broker, QUEUE, 3)[0]
        any_broker.ack_through(first.tag)

        any_broker.give_back()

        assert [each.body for each in taken(any_broker, QUEUE, 2)] == [b"1", b"2"]

    def test_acknowledged_messages_are_gone(self, any_broker: TestBroker) -> None:
        any_broker.publish([message(n) for n in range(3)])

        any_broker.ack_through(taken(any_broker, QUEUE, 3)[-1].tag)
        any_broker.give_back()

        assert any_broker.take(QUEUE) == []

    def test_rejected_message_is_dead_with_queue_and_reason(self, any_broker: TestBroker) -> None:
        any_broker.publish([message(1, b"body", note="kept")])

        any_broker.reject(taken(any_broker, QUEUE, 1)[0].tag)

        dead = taken(any_broker, topology.dead_name("products"), 1)[0]
        assert dead.body == b"body"
        assert dead.headers["note"] == "kept"
        assert first_death(dead.headers) == (QUEUE, "rejected")

    def test_message_that_came_back_too_often_is_dead(self, any_broker: TestBroker) -> None:
        any_broker.publish([message(1, b"body")])

        for _ in range(topology.DELIVERY_LIMIT + 1):
            taken(any_broker, QUEUE, 1)
            any_broker.give_back()

        dead = taken(any_broker, topology.dead_name("products"), 1)[0]
        assert first_death(dead.headers) == (QUEUE, "delivery_limit")

    def test_delayed_message_returns_to_the_queue_its_key_names(
        self, any_broker: TestBroker
    ) -> None:
        any_broker.publish(
            [Message(1, topology.retry_name("products", "1s"), QUEUE, b"again", {"n": 1})]
        )
        assert any_broker.take(QUEUE) == []

        delivery = taken(any_broker, QUEUE, 1, after_seconds=1)[0]

        assert delivery.body == b"again"
        assert delivery.headers["n"] == 1
        assert any_broker.take("products.users") == []

    def test_redrive_reaches_one_queue(self, any_broker: TestBroker) -> None:
        outcome = any_broker.publish(
            [
                Message(1, topology.redrive_name("products"), QUEUE, b"{}", {}),
                Message(2, topology.redrive_name("products"), "orders.stock", b"{}", {}),
            ]
        )

        assert outcome.confirmed == [1]
        assert len(taken(any_broker, QUEUE, 1)) == 1

    def test_full_queue_refuses(self, any_broker: TestBroker) -> None:
        any_broker.limit(QUEUE, 3)
        keys = iter(range(1000))

        refused = wait_until(lambda: any_broker.publish([message(next(keys))]).refused)

        assert "full" in next(iter(refused.values()))


@pytest.mark.django_db(transaction=True)
def test_relay_and_consumer_run_on_the_fake(
    topology: Topology, publish: Any, recorder: Recorder
) -> None:
    """The fast way through relay, queue, retries and dead letters: no server but the database, no
    second passes.
    """
    memory = MemoryBroker(topology)
    tries: list[str] = []

    def fail(order_id: str) -> None:
        tries.append(order_id)
        if order_id == "poison":
            raise ValueError("no")

    recorder.fail = fail
    processor = BatchProcessor(recorder.router, memory)  # type: ignore[arg-type]
    with transaction.atomic():
        publish("good", "poison")
    with closing(Relay(memory)) as relay:  # type: ignore[arg-type]
        relay.step()

    for seconds in (0, 1, 10, 60):
        memory.pass_time(seconds)
        if deliveries := memory.take(QUEUE):
            processor.handle(QUEUE, deliveries)
            memory.ack_through(deliveries[-1].tag)

    assert recorder.handled == ["good"]
    assert tries.count("poison") == 5  # in its batch, alone, and after each delay
    assert DeadLetter.objects.get().reason == HANDLER_FAILED
