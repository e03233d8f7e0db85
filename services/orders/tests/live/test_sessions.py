"""Who opens a socket, and for how long."""

import re
import time
from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import revocations
from servicekit.testing.hostile_tokens import HostileToken, hostile_tokens
from servicekit.testing.tokens import make_client_token, make_token
from servicekit.testing.waiting import wait_until
from tests.live.client import Live

PROTOCOL = "souk.orders.v1"


def test_nobody_is_refused(live: Live) -> None:
    status, body = live.refusal(additional_headers={})

    assert (status, body["code"]) == (401, "not_authenticated")


def fits_a_header(token: HostileToken) -> bool:
    """Whether it reaches the process: HTTP itself, and the gateway, let no other through."""
    return len(token.token) < 8000 and bool(re.fullmatch(r"[!-~]+", token.token))


HOSTILE = [token for token in hostile_tokens() if fits_a_header(token)]


@pytest.mark.parametrize("token", HOSTILE, ids=lambda each: each.name)
def test_hostile_token_is_refused(live: Live, token: HostileToken) -> None:
    status, body = live.refusal(additional_headers={"Authorization": f"Bearer {token.token}"})

    assert (status, body["status"]) == (401, 401)


def test_machine_client_is_refused(live: Live) -> None:
    assert live.refusal(token=make_client_token("orders:read"))[0] == 403


@pytest.mark.parametrize("query", ["token=x", "access_token=x", "x"])
def test_address_has_no_parameters(live: Live, query: str) -> None:
    status, body = live.refusal(path=f"/ws/orders/?{query}")

    assert (status, body["code"]) == (400, "unknown_parameter")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://{host}.evil.example",
        "http://evil.example/{host}",
        "http://evil@{host}",
        "http://{host}/",
        "ftp://{host}",
        "{host}",
        "",
        "http://[",
    ],
)
def test_page_of_another_site_is_refused(live: Live, origin: str) -> None:
    status, body = live.refusal(origin=origin.format(host=live.address))

    assert (status, body["code"]) == (403, "foreign_origin")


def test_browser_without_an_origin_is_refused(live: Live) -> None:
    """The gateway has made a header of the token in the subprotocol."""
    token = make_token()

    status, body = live.refusal(token=token, subprotocols=[PROTOCOL, f"bearer.{token}"])

    assert (status, body["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_page_of_ours_is_let_in(live: Live, scheme: str) -> None:
    token = make_token()

    with live.open(
        token=token,
        origin=f"{scheme}://{live.address}",
        subprotocols=[PROTOCOL, f"bearer.{token}"],
    ) as socket:
        assert socket.connection.subprotocol == PROTOCOL
        assert socket.subscribe()["orders"] == []


def test_socket_of_a_session_that_ends_is_closed(live: Live) -> None:
    user_id, session_id = uuid7(), uuid7()
    token = make_token(user_id, sid=str(session_id))

    with live.open(token=token) as ended, live.open(user_id) as other:
        ended.subscribe()
        revocations.revoke(session_id, user_id, timezone.now())
        assert ended.close_code() == 1008
        assert other.subscribe()["orders"] == []
    assert live.refusal(token=token)[0] == 401


def test_socket_of_a_deactivated_account_is_closed(live: Live) -> None:
    user_id = uuid7()

    with live.open(user_id) as socket:
        socket.subscribe()
        revocations.revoke(None, user_id, timezone.now())
        assert socket.close_code() == 1008


def test_socket_ends_with_its_token(live: Live) -> None:
    user_id = uuid7()
    soon = make_token(user_id, exp=int(time.time()) + 2)

    with live.open(token=soon) as socket:
        assert socket.next("ready")["token_expires_at"] <= time.time() + 2
        assert socket.close_code() == 1008


def test_new_token_keeps_the_socket_open(live: Live) -> None:
    user_id = uuid7()
    now = int(time.time())
    first, second = make_token(user_id, exp=now + 4), make_token(user_id)

    with live.open(token=first) as socket:
        socket.send({"type": "token", "token": second})
        assert socket.next("token")["token_expires_at"] > now + 200
        wait_until(lambda: time.time() > now + 6, timeout_seconds=60)
        assert socket.subscribe()["orders"] == []


@pytest.mark.parametrize(
    "make", [lambda: make_token(uuid7()), lambda: "x.y.z", lambda: make_client_token("orders:read")]
)
def test_token_of_another_ends_the_socket(live: Live, make: Any) -> None:
    with live.open(uuid7()) as socket:
        socket.send({"type": "token", "token": make()})
        assert socket.close_code() == 1008


def test_eleventh_socket_of_an_account_is_refused(live: Live) -> None:
    from contextlib import ExitStack

    user_id = uuid7()
    with ExitStack() as opened:
        sockets = [opened.enter_context(live.open(user_id)) for _ in range(10)]
        for socket in sockets:
            socket.next("ready")
        status, body = live.refusal(user_id=user_id)
        assert (status, body["code"]) == (429, "too_many_sockets")
    with live.open(user_id) as socket:
        socket.next("ready")
