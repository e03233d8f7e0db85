"""What a client may send on a socket, and what ends it."""

import socket as sockets
import time

import pytest
import requests
from uuid_utils.compat import uuid7
from websockets.frames import Frame, Opcode

from orders.services.settlement import cancel_order
from servicekit.testing.tokens import make_token
from tests.factories import make_order
from tests.live.client import PATIENCE_SECONDS, Live, Socket


@pytest.mark.parametrize(
    "message",
    [
        "",
        "x",
        "null",
        "[]",
        "{}",
        '"subscribe"',
        '{"type": "subscribe"}',
        '{"type": "SUBSCRIBE", "orders": "all"}',
        '{"type": "subscribe", "orders": "*"}',
        '{"type": "subscribe", "orders": null}',
        '{"type": "subscribe", "orders": []}',
        '{"type": "subscribe", "orders": ["*"]}',
        '{"type": "subscribe", "orders": [1]}',
        '{"type": "subscribe", "orders": "all", "user": "x"}',
        '{"type": "subscribe", "orders": "all", "orders": "all"}',
        '{"type": "token"}',
        '{"type": "token", "token": 1}',
        '{"type": "token", "token": ""}',
        '{"type": ["subscribe"]}',
        '{"type": "\\ud800"}',
        "[" * 5000,
        "1" * 5000,
        "NaN",
    ],
)
def test_what_is_no_message_is_said_to_be_none(live: Live, message: str) -> None:
    with live.open(uuid7()) as socket:
        socket.send(message)
        assert socket.next("error") == {"type": "error", "code": "invalid_message"}
        assert socket.subscribe()["orders"] == []


@pytest.mark.parametrize("count", [101, 300])
def test_subscription_to_more_than_a_hundred_is_refused(live: Live, count: int) -> None:
    with live.open(uuid7()) as socket:
        socket.send({"type": "subscribe", "orders": [str(uuid7()) for _ in range(count)]})
        assert socket.next("error")["code"] == "invalid_message"


def test_hundred_orders_may_be_followed(live: Live) -> None:
    with live.open(uuid7()) as socket:
        assert len(socket.subscribe([str(uuid7()) for _ in range(100)])["not_found"]) == 100


def test_long_message_closes_with_1009(live: Live) -> None:
    with live.open(uuid7()) as socket:
        socket.send("x" * 20_000)
        assert socket.close_code() == 1009


def test_message_in_endless_parts_closes_with_1009(live: Live) -> None:
    with live.open(uuid7()) as socket:
        raw(
            socket,
            *[
                Frame(Opcode.TEXT if not n else Opcode.CONT, b"x" * 1000, fin=False)
                for n in range(20)
            ],
        )
        assert socket.close_code() == 1009


def test_text_that_is_not_utf_8_closes_with_1007(live: Live) -> None:
    with live.open(uuid7()) as socket:
        raw(socket, Frame(Opcode.TEXT, b"\xff\xfe"))
        assert socket.close_code() == 1007


def test_binary_message_closes_with_1003(live: Live) -> None:
    with live.open(uuid7()) as socket:
        socket.connection.send(b"x")
        assert socket.close_code() == 1003


def test_flood_of_messages_closes_with_1008(live: Live) -> None:
    with live.open(uuid7()) as socket:
        raw(socket, *[Frame(Opcode.TEXT, b"x")] * 500)
        assert socket.close_code() == 1008


def test_pings_are_answered(live: Live) -> None:
    with live.open(uuid7()) as socket:
        assert socket.connection.ping().wait(PATIENCE_SECONDS)


def test_nothing_is_compressed(live: Live) -> None:
    """No bomb can be packed, and a socket needs no window."""
    with live.open(uuid7(), compression="deflate") as socket:
        assert socket.connection.protocol.extensions == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Version": "12"}, 400),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "x"}, 400),
        ({"Connection": "keep-alive", "Upgrade": ""}, 404),
    ],
)
def test_handshake_that_is_none_is_refused(
    live: Live, headers: dict[str, str], status: int
) -> None:
    good = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Authorization": f"Bearer {make_token()}",
    }

    answer = requests.get(f"http://{live.address}/ws/orders/", headers=good | headers, timeout=60)

    assert answer.status_code == status


def test_reader_that_does_not_read_costs_no_other_anything(live: Live, news: None) -> None:
    """It is told the last state of each order, once it reads again."""
    user_id = uuid7()
    order = make_order(user_id=user_id)
    with live.open(user_id) as socket, live.open(user_id) as other:
        for each in (socket, other):
            each.subscribe()
        cancel_order(order_id=order.pk)
        assert other.next_state() == (str(order.pk), "cancelled", 2)
        assert socket.next_state() == (str(order.pk), "cancelled", 2)


def test_client_that_vanishes_gives_its_place_back(live: Live) -> None:
    user_id = uuid7()
    for _ in range(12):
        with live.open(user_id) as socket:
            socket.next("ready")
            socket.connection.socket.shutdown(sockets.SHUT_RDWR)

    with live.open(user_id) as socket:
        assert socket.next("ready")["token_expires_at"] > time.time()


def raw(socket: Socket, *frames: Frame) -> None:
    """Send frames that no client library would."""
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    socket.connection.socket.sendall(data)
