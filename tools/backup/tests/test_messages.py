"""What was between outbox and inbox at the cut is published again; what had arrived is not."""

from uuid import UUID, uuid4

import pytest
from conftest import Connect

from backup import messages
from native.runtime import NativeRuntime

PLACED = "orders.order_placed.v1"
QUEUE = "products.orders"


def sent(connect: Connect, kind: str = PLACED) -> UUID:
    """An event that orders has published."""
    event = uuid4()
    with connect("orders") as connection:
        statement = "INSERT INTO outbox (id, type, sent_at) VALUES (%s, %s, now())"
        connection.execute(statement, [event, kind])
    return event


def unsent(connect: Connect) -> set[UUID]:
    with connect("orders") as connection:
        query = (
            "SELECT id FROM outbox WHERE sent_at IS NULL AND attempts = 0 AND not_before IS NULL"
        )
        return {row[0] for row in connection.execute(query)}


def letters(connect: Connect, event: UUID) -> list[str]:
    with connect("products") as connection:
        query = "SELECT state FROM dead_letter WHERE event_id = %s ORDER BY id"
        return [row[0] for row in connection.execute(query, [event])]


def dead_letter(connect: Connect, event: UUID, state: str) -> None:
    with connect("products") as connection:
        statement = "INSERT INTO dead_letter (queue, event_id, state) VALUES (%s, %s, %s)"
        connection.execute(statement, [QUEUE, event, state])


def arrived(connect: Connect, event: UUID) -> None:
    with connect("products") as connection:
        connection.execute("INSERT INTO inbox VALUES (%s, %s)", [QUEUE, event])


def test_only_what_no_queue_has_handed_over_is_sent_again(
    shop: NativeRuntime, connect: Connect
) -> None:
    lost, handled, dead = sent(connect), sent(connect), sent(connect)
    nobody = sent(connect, "orders.order_delivered.v1")
    arrived(connect, handled)
    dead_letter(connect, dead, "waiting")

    assert messages.send_again(shop) == 1

    assert unsent(connect) == {lost}
    assert nobody not in unsent(connect)


def test_nothing_is_sent_again_where_everything_had_arrived(
    shop: NativeRuntime, connect: Connect
) -> None:
    arrived(connect, sent(connect))

    assert messages.send_again(shop) == 0
    assert unsent(connect) == set()


@pytest.mark.parametrize("has_effect", [True, False])
def test_letter_that_was_on_its_way_back_waits_again(
    shop: NativeRuntime, connect: Connect, has_effect: bool
) -> None:
    event = sent(connect)
    dead_letter(connect, event, "redriven")
    if has_effect:
        arrived(connect, event)

    messages.send_again(shop)

    assert letters(connect, event) == ["redriven" if has_effect else "waiting"]


def test_letter_that_came_back_as_a_new_one_waits_once(
    shop: NativeRuntime, connect: Connect
) -> None:
    event = sent(connect)
    dead_letter(connect, event, "redriven")
    dead_letter(connect, event, "waiting")

    messages.send_again(shop)

    assert letters(connect, event) == ["redriven", "waiting"]
