"""The process `live` of orders: requests that wait are sent on to it, and sockets go there."""

import socket
from collections.abc import Callable

import pytest
from harness.client import Response, assert_problem
from harness.nginx import Gateway, Services
from harness.upstream import PROBLEM, Answer

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
ORDER = "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59"
WHERE = f"/internal/outcomes/{ORDER}/"
OUTCOME = f"{WHERE}?operation=place_order&seconds=10"
PURCHASE = f"/api/products/{ORDER}/purchase/"
JSON = {"Content-Type": "application/json"}
PATHS = ["/api/orders/", PURCHASE]


@pytest.fixture
def waiting(own_services: Services) -> Services:
    """Orders sends whoever orders or buys on to who waits."""
    elsewhere = Answer(202, b'{"early": 1}', JSON | {"X-Accel-Redirect": f"/__live{OUTCOME}"})
    for path in PATHS:
        own_services.orders.answers[path] = elsewhere
    return own_services


def place(gateway: Gateway, signer: Signer) -> Response:
    headers = {"Authorization": f"Bearer {signer.token()}"} | JSON
    return gateway.request("POST", "/api/orders/", headers, b"{}")


@pytest.mark.parametrize("path", PATHS)
def test_request_that_waits_is_answered_by_live(
    own_gateway: StartGateway, waiting: Services, signer: Signer, path: str
) -> None:
    confirmed = JSON | {"Location": f"/api/orders/{ORDER}/", "Preference-Applied": "wait=10"}
    waiting.live.answers[WHERE] = Answer(201, b'{"late": 1}', confirmed)
    headers = {"Authorization": f"Bearer {signer.token()}", "Idempotency-Key": "k"} | JSON

    answered = own_gateway().request("POST", path, headers, b'{"quantity": 1}')

    assert (answered.status, answered.json) == (201, {"late": 1})
    assert answered.headers["Location"] == f"/api/orders/{ORDER}/"
    assert answered.headers["Preference-Applied"] == "wait=10"
    assert "X-Accel-Redirect" not in answered.headers
    [offered] = waiting.orders.seen
    assert offered.header("X-Waits-Elsewhere") == "live"
    [seen] = waiting.live.seen
    assert (seen.method, seen.path, seen.body) == ("GET", OUTCOME, b"")
    assert seen.header("Authorization") == headers["Authorization"]
    assert seen.header("Idempotency-Key") == "k"
    assert seen.header("X-Waits-Elsewhere") is None
    assert seen.header("X-Request-ID") == offered.header("X-Request-ID")


def test_refusal_of_live_is_passed_on(
    own_gateway: StartGateway, waiting: Services, signer: Signer
) -> None:
    waiting.live.answers[WHERE] = Answer(409, b'{"code": "out_of_stock"}', PROBLEM)

    answered = place(own_gateway(), signer)

    assert (answered.status, answered.json["code"]) == (409, "out_of_stock")


def test_while_live_is_away_web_says_how_the_order_stands(
    own_gateway: StartGateway, waiting: Services, signer: Signer
) -> None:
    waiting.live.stop()
    waiting.orders.answers[WHERE] = Answer(202, b'{"status": "pending"}', JSON)

    answered = place(own_gateway(), signer)

    assert (answered.status, answered.json) == (202, {"status": "pending"})


def test_live_that_breaks_off_is_away(
    own_gateway: StartGateway, waiting: Services, signer: Signer
) -> None:
    waiting.live.to_break = 9
    waiting.orders.answers[WHERE] = Answer(202, b'{"status": "pending"}', JSON)

    assert place(own_gateway(), signer).status == 202


def test_foreign_error_of_live_becomes_ours(
    own_gateway: StartGateway, waiting: Services, signer: Signer
) -> None:
    waiting.live.answers[WHERE] = Answer(500, b"<h1>", {"Content-Type": "text/html"})

    assert_problem(place(own_gateway(), signer), 500, "internal_error")


@pytest.mark.parametrize("path", [f"/__live{OUTCOME}", OUTCOME, "/__live/livez"])
def test_nobody_goes_there_unsent(
    gateway: Gateway, services: Services, signer: Signer, path: str
) -> None:
    assert_problem(gateway.get(path, signer.token()), 404)
    assert services.live.seen == []


def test_header_of_a_client_offers_nothing(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "X-Waits-Elsewhere": "here"}

    gateway.request("GET", "/api/orders/", headers)
    gateway.request("GET", "/api/users/me/", headers)

    assert services.orders.requests_for("/api/orders/")[-1].header("X-Waits-Elsewhere") == "live"
    assert services.users.requests_for("/api/users/me/")[-1].header("X-Waits-Elsewhere") is None


def upgrade(gateway: Gateway, headers: dict[str, str], query: str = "") -> int:
    sent = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    return gateway.request("GET", f"/ws/orders/{query}", sent | headers).status


def test_socket_says_where_its_page_is_from(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    upgrade(gateway, {"Authorization": f"Bearer {signer.token()}", "Origin": "http://evil"})

    assert services.live.requests_for("/ws/orders/")[-1].header("Origin") == "http://evil"


@pytest.mark.parametrize("form", ["souk.orders.v1, bearer.{}", "souk.orders.v1,bearer.{}"])
def test_token_of_a_browser_is_in_its_subprotocol(
    gateway: Gateway, services: Services, signer: Signer, form: str
) -> None:
    token = signer.token()

    upgrade(gateway, {"Sec-WebSocket-Protocol": form.format(token)})

    seen = services.live.requests_for("/ws/orders/")[-1]
    assert seen.header("Authorization") == f"Bearer {token}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-WebSocket-Protocol": "souk.orders.v1"},
        {"Sec-WebSocket-Protocol": "souk.orders.v1, bearer.x.y.z"},
        {"Sec-WebSocket-Protocol": "bearer."},
        {"Authorization": "Bearer x"},
    ],
)
def test_socket_without_a_good_token_is_401(
    gateway: Gateway, services: Services, headers: dict[str, str]
) -> None:
    before = len(services.live.seen)

    assert upgrade(gateway, headers) == 401
    assert len(services.live.seen) == before


def test_token_in_the_address_is_refused(gateway: Gateway, signer: Signer) -> None:
    assert upgrade(gateway, {}, f"?access_token={signer.token()}") == 401


def test_subprotocol_is_no_token_elsewhere(gateway: Gateway, signer: Signer) -> None:
    headers = {"Sec-WebSocket-Protocol": f"souk.orders.v1, bearer.{signer.token()}"}

    assert_problem(gateway.request("GET", "/api/orders/", headers), 401)


def test_socket_that_is_left_open_takes_no_place_of_a_request(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    own_services.live.may_answer.clear()
    gateway = own_gateway(LIMIT_CONNECTIONS="1")
    head = f"GET /ws/orders/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {signer.token()}"

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as opened:
        opened.sendall(f"{head}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode())
        status = gateway.get("/api/orders/", signer.token()).status
        own_services.live.may_answer.set()

    assert status == 200
