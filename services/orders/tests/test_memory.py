"""Web and consumer stay within their containers' memory, whatever customers order and read."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from django.db import connection
from uuid_utils.compat import uuid7

from orders.models import MAX_LINES, Order
from servicekit.messaging import topology
from servicekit.messaging.publisher import Message, Publisher
from servicekit.testing.deliver import make_delivery
from servicekit.testing.processes import (
    container_memory_mib,
    memory_of_family_mib,
    peak_memory_mib,
    running_process,
)
from servicekit.testing.tokens import jwks, make_token
from servicekit.testing.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 150
CUSTOMER = uuid7()


@pytest.fixture
def long_orders() -> list[UUID]:
    """Pending orders of a thousand lines each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO orders (id, user_id, status, currency, total, version, deadline)
            SELECT gen_random_uuid(), %s, 'pending', 'GBP', 1, 1, now() + interval '1 hour'
            FROM generate_series(1, %s)""",
            [CUSTOMER, ORDERS],
        )
        cursor.execute(
            """INSERT INTO order_line (order_id, product_id, name, unit_price, quantity)
            SELECT orders.id, gen_random_uuid(), repeat('x', 120), 1, 1
            FROM orders, generate_series(1, %s)""",
            [MAX_LINES],
        )
    return list(Order.objects.values_list("id", flat=True))


def send(url: str, event_type: str, bodies: list[dict[str, Any]]) -> None:
    publisher = Publisher(url)
    for number, body in enumerate(bodies):
        delivery = make_delivery(event_type, body)
        exchange = topology.redrive_name("orders")
        message = Message(number, exchange, "orders.stock", delivery.body, delivery.headers)
        assert not publisher.publish([message]).refused
    publisher.close()


def test_consumer_confirms_and_rejects_the_longest_orders(
    broker_url: str, long_orders: list[UUID]
) -> None:
    lines = [{"product_id": str(uuid7()), "quantity": 1_000_000} for _ in range(MAX_LINES)]
    short = {"requested": 1_000_000, "available": 1_000_000, "reason": "insufficient_stock"}
    shortages = [{"product_id": line["product_id"], **short} for line in lines]
    half = ORDERS // 2
    send(
        broker_url,
        "products.stock_reserved.v1",
        [{"order_id": str(order_id), "lines": lines} for order_id in long_orders[:half]],
    )
    send(
        broker_url,
        "products.stock_rejected.v1",
        [{"order_id": str(order_id), "shortages": shortages} for order_id in long_orders[half:]],
    )

    with running_process("manage.py", "consume") as consumer:
        wait_until(lambda: not Order.objects.filter(status="pending").exists(), timeout_seconds=300)
        peak = peak_memory_mib(consumer.pid)

    assert peak < container_memory_mib("small")


@pytest.fixture
def web(broker_url: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The web process as its container runs it; its address and its id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(jwks()))
    words = ("-m", "gunicorn", "-c", "python:servicekit.gunicorn_conf", "orders.wsgi")
    variables = {"WEB_BIND": f"127.0.0.1:{port}", "WEB_THREADS": "8", "JWKS_CACHE_FILE": str(keys)}
    with running_process(*words, **variables) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url))
        yield url, process.pid


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/livez", timeout=1).ok
    except requests.RequestException:
        return False


def test_many_read_their_lists_of_the_longest_orders_at_once(
    web: tuple[str, int], long_orders: list[UUID]
) -> None:
    """One such list had 13 MiB, and took a hundred of the process."""
    url, process_id = web
    headers = {"Authorization": f"Bearer {make_token(CUSTOMER)}"}

    def read(_number: int) -> float:
        answer = requests.get(f"{url}/api/orders/?page_size=100", headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert sum(len(order["lines"]) for order in answer.json()["results"]) == 2 * MAX_LINES
        return memory_of_family_mib(process_id)

    with ThreadPoolExecutor(16) as pool:
        used = list(pool.map(read, range(64)))

    assert len(long_orders) == ORDERS
    assert max(used) < container_memory_mib("medium")
