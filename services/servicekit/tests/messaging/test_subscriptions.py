"""A consumer binds its own queues again, reads what is there, and says what is not."""

from typing import Any
from urllib.parse import quote

import pytest

from servicekit.messaging import broker_definitions
from servicekit.messaging.publisher import Message, Publisher
from servicekit.messaging.topology import work_queue_arguments
from servicekit.operations import heartbeats
from servicekit.operations.health import _processes
from servicekit.testing.deliver import make_delivery
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder, consuming
from tests.project.consumed import OrderPlaced

EXCHANGE = "orders.events"


def bindings(admin: Any, vhost: str, queue: str = QUEUE) -> set[tuple[str, str]]:
    found = admin.call("GET", f"/queues/{vhost}/{queue}/bindings")
    return {(binding["source"], binding["routing_key"]) for binding in found if binding["source"]}


def unbind(admin: Any, vhost: str, exchange: str, queue: str, key: str) -> None:
    admin.call("DELETE", f"/bindings/{vhost}/e/{exchange}/q/{queue}/{quote(key or '~')}")


def send(url: str, order_id: str) -> None:
    delivery = make_delivery(OrderPlaced.type, {"order_id": order_id})
    publisher = Publisher(url)
    message = Message(1, EXCHANGE, OrderPlaced.type, delivery.body, delivery.headers)
    assert not publisher.publish([message]).refused
    publisher.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_lost_bindings_are_back_by_themselves(
    broker_url: str, vhost: str, broker_admin: Any, recorder: Recorder, when: str
) -> None:
    lost = [
        (EXCHANGE, QUEUE, OrderPlaced.type),
        ("products.redrive", QUEUE, QUEUE),
        ("products.retry.1s", "products.retry.1s", ""),
        ("products.dead", "products.dead", ""),
    ]
    if when == "while it runs":
        with consuming(recorder, broker_url, topology_check_seconds=0.1):
            send(broker_url, "before")
            wait_until(lambda: recorder.handled == ["before"])
            for exchange, queue, key in lost:
                unbind(broker_admin, vhost, exchange, queue, key)
            wait_until(lambda: all((e, k) in bindings(broker_admin, vhost, q) for e, q, k in lost))
    else:
        for exchange, queue, key in lost:
            unbind(broker_admin, vhost, exchange, queue, key)
        with consuming(recorder, broker_url):
            wait_until(lambda: all((e, k) in bindings(broker_admin, vhost, q) for e, q, k in lost))

    with consuming(recorder, broker_url):
        send(broker_url, "after")
        wait_until(lambda: recorder.handled[-1:] == ["after"])


@pytest.mark.django_db(transaction=True)
def test_lost_queue_is_reported_and_the_others_are_read(
    broker_url: str, vhost: str, broker_admin: Any, recorder: Recorder
) -> None:
    recorder.router.handles("products.users", OrderPlaced)(lambda _event, _envelope: None)
    broker_admin.call("DELETE", f"/queues/{vhost}/products.users")
    heartbeats._last_beat.clear()

    with consuming(recorder, broker_url, topology_check_seconds=0.1):
        send(broker_url, "neighbour")
        wait_until(lambda: recorder.handled == ["neighbour"])
        wait_until(lambda: "products.users" in _processes())
        assert "make restart" in _processes()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_lost_while_it_runs", [False, True])
def test_queue_that_comes_back_is_read_again(
    broker_url: str, vhost: str, broker_admin: Any, recorder: Recorder, is_lost_while_it_runs: bool
) -> None:
    if not is_lost_while_it_runs:
        broker_admin.call("DELETE", f"/queues/{vhost}/{QUEUE}")
    heartbeats._last_beat.clear()

    with consuming(recorder, broker_url, topology_check_seconds=0.1):
        if is_lost_while_it_runs:
            send(broker_url, "early")
            wait_until(lambda: recorder.handled == ["early"])
            broker_admin.call("DELETE", f"/queues/{vhost}/{QUEUE}")
        wait_until(lambda: QUEUE in _processes())
        queue = broker_definitions._queue(QUEUE, work_queue_arguments("products"))
        broker_admin.call("PUT", f"/queues/{vhost}/{QUEUE}", {**queue, "name": None})
        wait_until(lambda: (EXCHANGE, OrderPlaced.type) in bindings(broker_admin, vhost))
        send(broker_url, "late")
        wait_until(lambda: recorder.handled[-1:] == ["late"])
