# ruff: noqa: S608  the statements are ours
"""Each invariant fails on the defect that it is there for, and none on a shop in order."""

import json
import uuid

import pytest
from world import (
    CANCELLED,
    CONFIRMED,
    DELIVERED,
    LAMP,
    POT,
    REJECTED,
    SOLD_OUT,
    STAFF,
    USER,
    VOID,
    Event,
)

from audit.cli import checks
from audit.sources import wait_for_rest


def failing(sources, logs=()):
    """Return the names of the invariants that disagree."""
    return {
        result.invariant
        for result in (check(sources) for check in checks(list(logs)))
        if result.disagreements
    }


def test_shop_in_order_agrees(sources):
    found = [result for result in (check(sources) for check in checks([])) if result.disagreements]

    assert [line for result in found for line in result.lines()] == []
    assert wait_for_rest(sources)


PLACED = f"type = 'orders.order_placed.v1' AND subject = '{CONFIRMED}'"
DEFECTS = {
    "a unit appeared on the shelf": (
        "products",
        f"UPDATE product SET stock = stock + 1 WHERE id = '{LAMP}'",
        {"I1", "I3"},
    ),
    "a sale took no stock": (
        "products",
        f"DELETE FROM stock_movement WHERE order_id = '{CONFIRMED}' AND product_id = '{POT}';"
        f"UPDATE product SET stock = stock + 1 WHERE id = '{POT}'",
        {"I1", "I9"},
    ),
    "oversold": (
        "products",
        "ALTER TABLE product DROP CONSTRAINT product_stock_not_negative;"
        f"UPDATE product SET stock = -1 WHERE id = '{SOLD_OUT}'",
        {"I1", "I2", "I3"},
    ),
    "the constraint is gone": (
        "products",
        "ALTER TABLE product DROP CONSTRAINT product_stock_not_negative",
        {"I2"},
    ),
    "an order took its units twice": (
        "products",
        "DROP INDEX stock_movement_sold_once;"
        "INSERT INTO stock_movement (product_id, kind, quantity, order_id, reason, at)"
        "SELECT product_id, kind, quantity, order_id, '', at FROM stock_movement WHERE order_id ="
        f" '{CONFIRMED}';"
        f"UPDATE product SET stock = stock - 2 WHERE id = '{LAMP}'; UPDATE product SET stock ="
        f" stock - 1 WHERE id = '{POT}'",
        {"I1", "I3", "I9"},
    ),
    "a return was put back twice": (
        "products",
        "DROP INDEX stock_movement_returned_once;"
        "INSERT INTO stock_movement (product_id, kind, quantity, order_id, return_id, reason, at)"
        "SELECT product_id, kind, quantity, order_id, return_id, '', at FROM stock_movement"
        f" WHERE kind = 'return'; UPDATE product SET stock = stock + 1 WHERE id = '{LAMP}'",
        {"I1", "I14"},
    ),
    "a return never reached the stock": (
        "products",
        "DELETE FROM stock_movement WHERE kind = 'return';"
        f"UPDATE product SET stock = stock - 1 WHERE id = '{LAMP}'",
        {"I1", "I14"},
    ),
    "units came back without a return": (
        "orders",
        f"UPDATE order_line SET returned = 2 WHERE order_id = '{DELIVERED}'",
        {"I1", "I14"},
    ),
    "a parcel was forgotten": (
        "orders",
        "UPDATE shipment_line SET quantity = 1 WHERE quantity = 2",
        {"I14"},
    ),
    "an order is shipped in part only": (
        "orders",
        f"UPDATE order_line SET quantity = 3, shipped = 2 WHERE order_id = '{DELIVERED}'",
        {"I1", "I9", "I13", "I14"},
    ),
    "a cancelled order kept its money": (
        "orders",
        f"UPDATE payment SET state = 'authorised' WHERE order_id = '{CANCELLED}'",
        {"I15"},
    ),
    "an order was confirmed without its money": (
        "orders",
        f"UPDATE payment SET state = 'requested' WHERE order_id = '{CONFIRMED}'",
        {"I15"},
    ),
    "a refund was booked twice": (
        "orders",
        f"UPDATE payment SET refunded_amount = 20 WHERE order_id = '{DELIVERED}'",
        {"I15"},
    ),
    "the provider kept what it should have let go": (
        "orders",
        "UPDATE test_provider_entry SET approved = false WHERE operation = 'void'",
        {"I15"},
    ),
    "a payment is of another amount": (
        "orders",
        f"UPDATE payment SET amount = 1 WHERE order_id = '{CONFIRMED}'",
        {"I15"},
    ),
    "a cart names an order of somebody else": (
        "orders",
        f"UPDATE cart SET last_order_id = '{uuid.UUID(int=99)}'",
        {"I15"},
    ),
    "a cancelled order kept its units": (
        "products",
        f"DELETE FROM stock_movement WHERE order_id = '{CANCELLED}' AND kind = 'release';"
        f"UPDATE product SET stock = stock - 3 WHERE id = '{LAMP}';"
        f"UPDATE reservation SET status = 'reserved' WHERE order_id = '{CANCELLED}'",
        {"I1", "I9"},
    ),
    "an order hangs": (
        "orders",
        "UPDATE orders SET status = 'pending', settled_at = NULL, version = 1 WHERE id ="
        f" '{CONFIRMED}';"
        f"DELETE FROM order_history WHERE order_id = '{CONFIRMED}' AND version = 2",
        {"I4", "I15"},
    ),
    "a rejected order is confirmed": (
        "orders",
        f"UPDATE orders SET status = 'confirmed' WHERE id = '{REJECTED}';"
        f"UPDATE order_history SET to_status = 'confirmed' WHERE order_id = '{REJECTED}' AND"
        " version = 2",
        {"I1", "I9"},
    ),
    "an event was never sent": (
        "orders",
        f"UPDATE outbox SET sent_at = NULL WHERE {PLACED}",
        {"I5"},
    ),
    "an event is parked": (
        "orders",
        "UPDATE outbox SET sent_at = NULL, parked_at = now(), last_error = 'no route' WHERE"
        f" {PLACED}",
        {"I5"},
    ),
    "an event changed on its way": ("products", "UPDATE inbox SET payload_hash = 'x'", {"I5"}),
    "a forged event was handled": (
        "orders",
        "INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)"
        f"VALUES ('orders.stock', '{uuid.uuid4()}', 'products.stock_reserved.v1', 'x', now())",
        {"I5"},
    ),
    "an effect without an event": (
        "products",
        f"INSERT INTO reservation (order_id, status, created_at) VALUES ('{uuid.uuid4()}', 'void',"
        " now())",
        {"I6", "I9"},
    ),
    "an event was handled twice": (
        "products",
        "ALTER TABLE inbox DROP CONSTRAINT inbox_once;"
        "INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)"
        "SELECT queue, event_id, type, payload_hash, handled_at FROM inbox LIMIT 1",
        {"I6"},
    ),
    "an order was confirmed by nobody": (
        "orders",
        f"UPDATE order_history SET event_id = '{uuid.uuid4()}' WHERE order_id = '{CONFIRMED}' AND"
        " version = 2",
        {"I6"},
    ),
    "a key names somebody else's order": (
        "orders",
        f"UPDATE idempotency_key SET caller = '{STAFF}'",
        {"I8"},
    ),
    "a key names no order": (
        "orders",
        f"UPDATE idempotency_key SET body = convert_to('{json.dumps({'id': str(uuid.uuid4())})}',"
        " 'UTF8')",
        {"I8"},
    ),
    "two keys are one order": (
        "orders",
        "INSERT INTO idempotency_key (caller, operation, key, request_hash, status, body, headers,"
        " created_at)"
        "SELECT caller, operation, 'second', request_hash, status, body, headers, created_at FROM"
        " idempotency_key",
        {"I8"},
    ),
    "a delivery vanished": (
        "products",
        "DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM inbox ORDER BY id LIMIT 1)",
        {"I6", "I11"},
    ),
    "a dead letter has no reason": (
        "products",
        "INSERT INTO dead_letter (queue, type, reason, detail, headers, content_type, body,"
        " fingerprint, received_at, state)"
        "VALUES ('products.orders', '', '', '', '{}', '', '', '', now(), 'waiting')",
        {"I11"},
    ),
    "history has a gap": (
        "orders",
        f"UPDATE order_history SET version = 3 WHERE order_id = '{CONFIRMED}' AND version = 2;"
        f"UPDATE orders SET version = 3 WHERE id = '{CONFIRMED}'",
        {"I12"},
    ),
    "an order went back": (
        "orders",
        "INSERT INTO order_history (order_id, version, from_status, to_status, note, at)"
        f"VALUES ('{REJECTED}', 3, 'rejected', 'pending', '', now() - interval '1 hour')",
        {"I12"},
    ),
    "a status was written past its history": (
        "orders",
        f"UPDATE orders SET version = 7 WHERE id = '{VOID}'",
        {"I12"},
    ),
    "a total is wrong": (
        "orders",
        f"UPDATE orders SET total = total + 1 WHERE id = '{CONFIRMED}'",
        {"I13", "I15"},
    ),
    "a price was changed afterwards": (
        "orders",
        f"UPDATE order_line SET unit_price = 9 WHERE order_id = '{CONFIRMED}' AND product_id ="
        f" '{LAMP}';"
        f"UPDATE orders SET total = total - 2 WHERE id = '{CONFIRMED}'",
        {"I13", "I15"},
    ),
    "the event announced another price": (
        "orders",
        "UPDATE outbox SET data = convert_to(replace(convert_from(data, 'UTF8'), '10.00',"
        f" '11.00'), 'UTF8') WHERE {PLACED}",
        {"I13", "I5"},
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_is_named(name, world, sources):
    service, statements, expected = DEFECTS[name]

    for statement in statements.split(";"):
        world.of(service).execute(statement)

    assert failing(sources) == expected


def test_event_in_a_dead_letter_did_not_vanish(world, sources):
    event = world.send(
        Event("orders", "orders.order_placed.v1", VOID, {}, "products.orders"), handled=False
    )
    assert "I11" in failing(sources)

    world.products.execute(
        """INSERT INTO dead_letter (queue, event_id, type, reason, detail, headers, content_type,
            body, fingerprint,
        received_at, state)
            VALUES ('products.orders', %s, '', 'invalid_data', '', '{}', '', '', '', now(),
                'waiting')""",
        [event.id],
    )

    assert "I11" not in failing(sources)


def test_unhandled_event_of_unsubscribed_type_is_no_loss(world, sources):
    world.send(Event("users", "users.user_registered.v1", USER, {}))

    assert failing(sources) == set()


def test_client_log_names_what_is_not_there(sources, tmp_path):
    log = tmp_path / "client-log.jsonl"
    missing = str(uuid.uuid4())
    entries = [
        {"kind": "order", "id": str(CONFIRMED), "key": "first", "account": "a"},
        {"kind": "cancel", "id": str(CANCELLED)},
    ]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries) + '{"kind": "ord')
    assert failing(sources, [log]) == set()

    for wrong in (
        {"kind": "order", "id": missing},
        {"kind": "cancel", "id": str(CONFIRMED)},
        {"kind": "order", "id": str(REJECTED), "key": "first", "account": "a"},
    ):
        log.write_text("".join(json.dumps(entry) + "\n" for entry in [*entries, wrong]))
        assert failing(sources, [log]) == {"I7"}


def test_order_in_flight_is_no_disagreement(world, sources):
    order = uuid.uuid4()
    world.orders.execute(
        """INSERT INTO orders (id, user_id, status, currency, total, version, placed_at, deadline)
        VALUES (%s, %s, 'pending', 'GBP', 10, 1, now(), now())""",
        [order, USER],
    )
    world.orders.execute(
        "INSERT INTO order_line (order_id, product_id, name, unit_price, quantity) VALUES (%s, %s,"
        " 'Thing', 10, 1)",
        [order, LAMP],
    )
    world.orders.execute(
        """INSERT INTO order_history (order_id, version, from_status, to_status, note, at)
        VALUES (%s, 1, '', 'pending', '', now())""",
        [order],
    )

    assert failing(sources) == set()
    assert not wait_for_rest(sources)
