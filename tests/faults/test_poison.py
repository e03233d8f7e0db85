"""Bad messages among good ones: each becomes a dead letter with its reason, the good ones settle,
nothing restarts.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import wait_until
from stack import OURS

from servicekit.messaging.connection import connect

PLACED = "orders.order_placed.v1"


def headers_of(event_id: str, kind: str = PLACED) -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": kind,
        "ce-source": "/orders",
        "ce-subject": event_id,
        "ce-sequence": "1",
        "ce-time": datetime.now(UTC).isoformat(),
        "ce-datacontenttype": "application/json",
    }


def order_data(**overrides: Any) -> dict[str, Any]:
    line = {"product_id": str(uuid.uuid4()), "quantity": 1, "unit_price": "1.00", "name": "Thing"}
    return {
        "order_id": str(uuid.uuid4()),
        "user_id": str(uuid.uuid4()),
        "lines": [line | overrides.pop("line", {})],
        "total": "1.00",
        "currency": "GBP",
        "placed_at": datetime.now(UTC).isoformat(),
        "deadline": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
    } | overrides


def bad_messages(known_id: str) -> dict[str, tuple[dict[str, str], bytes, str]]:
    """Return name → (headers, body, reason); content type is JSON in all."""
    missing = order_data()
    del missing["order_id"]
    without_id = headers_of("")
    del without_id["ce-id"]
    fresh = lambda: str(uuid.uuid4())  # noqa: E731
    return {
        "empty": (headers_of(fresh()), b"", "not_json"),
        "not JSON": (headers_of(fresh()), b"{not json", "not_json"),
        "not UTF-8": (headers_of(fresh()), b"\xff\xfe\x00{", "not_json"),
        "no envelope": ({}, b"{}", "invalid_envelope"),
        "no id": (without_id, json.dumps(order_data()).encode(), "invalid_envelope"),
        "id is no UUID": (headers_of("1"), json.dumps(order_data()).encode(), "invalid_envelope"),
        "unknown type": (headers_of(fresh(), "orders.order_vanished.v1"), b"{}", "unknown_type"),
        "newer version": (headers_of(fresh(), "orders.order_placed.v2"), b"{}", "unknown_type"),
        "a scalar": (headers_of(fresh()), b"1", "invalid_data"),
        "missing field": (headers_of(fresh()), json.dumps(missing).encode(), "invalid_data"),
        "wrong type": (
            headers_of(fresh()),
            json.dumps(order_data(lines="none")).encode(),
            "invalid_data",
        ),
        "negative quantity": (
            headers_of(fresh()),
            json.dumps(order_data(line={"quantity": -1})).encode(),
            "invalid_data",
        ),
        "known id, other content": (
            headers_of(known_id),
            json.dumps(order_data()).encode(),
            "id_reused_with_other_content",
        ),
        "5 MB": (
            headers_of(fresh()),
            json.dumps(order_data(padding="x" * 5_000_000)).encode(),
            "too_large",
        ),
    }


def publish(
    url: str, exchange: str, key: str, messages: list[tuple[dict[str, str], bytes]]
) -> None:
    with connect(url) as connection:
        producer = connection.Producer(connection.channel())
        for headers, body in messages:
            producer.publish(
                body,
                exchange=exchange,
                routing_key=key,
                headers=headers,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
            )


def test_bad_messages_are_dead_letters_and_good_ones_settle(shop, stack, staff, customer):
    product = shop.add_product(staff, stock=10_000)
    first = shop.bought(customer, (product["id"], 1))
    with stack.database("orders") as orders:
        query = "SELECT id::text FROM outbox WHERE subject = %s AND type = %s"
        (known_id,) = orders.execute(query, [first["id"], PLACED]).fetchone()
    pids, before = (
        stack.pids(),
        stack.number("products", "SELECT coalesce(max(id), 0) FROM dead_letter"),
    )
    bad = bad_messages(known_id)

    placed = []
    for headers, body, _ in bad.values():
        placed += [shop.place(customer, (product["id"], 1)).json()["id"] for _ in range(5)]
        publish(stack.ops["OPS_BROKER_URL"], "orders.events", PLACED, [(headers, body)])

    for order in placed:
        assert shop.settled(customer, order)["status"] == "confirmed"
    letters = (
        "SELECT reason FROM dead_letter WHERE id > %s AND queue = 'products.orders' ORDER BY id"
    )
    count = "SELECT count(*) FROM dead_letter WHERE id > %s AND queue = 'products.orders'"
    wait_until(
        lambda: stack.number("products", count, before) >= len(bad), what="each is a dead letter"
    )
    with stack.database("products") as products:
        reasons = sorted(row[0] for row in products.execute(letters, [before]))
        ids = [
            str(row[0])
            for row in products.execute("SELECT id FROM dead_letter WHERE id > %s", [before])
        ]
    assert reasons == sorted(reason for _, _, reason in bad.values())
    assert {name: stack.pids()[name] for name in OURS} == {name: pids[name] for name in OURS}
    stack.audit()
    stack.deadletters(
        "products", "discard", *ids, "--by", "fault suite", "--note", "made on purpose"
    )


@pytest.fixture
def stumbling_block(stack):
    """A trigger that lets orders' copy of one product fail: what an operator would repair."""
    with stack.database("orders") as orders:
        orders.execute(
            """CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.slug LIKE 'stumble-%' THEN
                RAISE EXCEPTION 'stumbled on purpose'; END IF; RETURN NEW; END $$"""
        )
        orders.execute(
            "CREATE TRIGGER stumble BEFORE INSERT OR UPDATE ON catalogue_product FOR EACH ROW"
            " EXECUTE FUNCTION stumble()"
        )

    def repair() -> None:
        with stack.database("orders") as orders:
            orders.execute("DROP FUNCTION IF EXISTS stumble() CASCADE")

    yield repair
    repair()


def test_redrive_works_after_repair(shop, stack, staff, customer, stumbling_block):
    waiting = (
        "SELECT count(*) FROM dead_letter WHERE queue = 'orders.catalogue'"
        " AND state = 'waiting' AND reason = 'handler_failed'"
    )
    before = stack.number("orders", waiting)
    body = {
        "slug": f"stumble-{uuid.uuid4().hex[:8]}",
        "name": "Stumble",
        "price": "1.00",
        "currency": "GBP",
        "stock": 5,
    }
    product = shop.call("POST", "/api/products/", staff, json=body).json()
    neighbour = shop.add_product(staff, stock=5)

    # Tried at once and after 1, 10 and 60 seconds; meanwhile its neighbours come through.
    wait_until(lambda: stack.number("orders", waiting) == before + 1, seconds=120, what="given up")
    assert shop.bought(customer, (neighbour["id"], 1))["status"] == "confirmed"
    assert shop.place(customer, (product["id"], 1)).status_code == 409

    stumbling_block()
    with stack.database("orders") as orders:
        (letter,) = orders.execute(
            "SELECT max(id) FROM dead_letter WHERE queue = 'orders.catalogue'"
        ).fetchone()
    stack.deadletters("orders", "redrive", str(letter), "--by", "fault suite", "--note", "repaired")

    wait_until(
        lambda: shop.place(customer, (product["id"], 1)).status_code == 201,
        what="orders knows it now",
    )
    stack.audit()
