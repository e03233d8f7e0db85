"""The gateway's own errors, and what the log says of a request."""

import json
import socket
import time
from collections.abc import Callable

import pytest
from harness.client import CONNECT_SECONDS, assert_problem, parse, send_raw
from harness.nginx import Gateway, Services, wait_until

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]


def test_service_away_is_503_with_retry_after(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway(HOLD_SECONDS="0")
    own_services.products.stop()

    refused = gateway.get("/api/products/")

    assert_problem(refused, 503, "service_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["instance"] == "/api/products/"
    own_services.products.start()
    assert gateway.get("/api/products/").status == 200


def test_service_that_hangs_up_is_502(own_gateway: StartGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = own_gateway(
            HOLD_SECONDS="0", PRODUCTS_UPSTREAM=f"127.0.0.1:{listener.getsockname()[1]}"
        )
        with socket.create_connection(
            ("127.0.0.1", gateway.port), timeout=CONNECT_SECONDS
        ) as client:
            client.sendall(
                b"GET /api/products/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            service, _ = listener.accept()
            service.recv(65536)
            service.close()
            answered = parse(client.makefile("rb").read())

    assert_problem(answered, 502, "service_unavailable")
    assert "Idempotency-Key" in answered.json["detail"]


def test_slow_body_is_hung_up_on_and_others_are_served(
    gateway: Gateway, services: Services
) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as slow:
        slow.sendall(
            b"POST /api/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        )
        assert gateway.get("/api/products/").status == 200

        assert _reads_to_end(slow) == b""

    assert time.monotonic() - started < 15
    assert services.users.seen == []


def _reads_to_end(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def test_master_killed_leaves_nothing_that_keeps_the_next_from_starting(
    own_gateway: StartGateway,
) -> None:
    gateway = own_gateway()
    assert gateway.get("/healthz").status == 200

    gateway.kill_master()
    gateway.start()

    assert gateway.get("/healthz").status == 200


def test_log_is_one_escaped_line_without_secrets(gateway: Gateway, signer: Signer) -> None:
    token = signer.token()
    headers = {
        "Authorization": f"Bearer {token}",
        "User-Agent": 'a" \x1b[31m \\ ${jndi:ldap://x}',
        "X-Request-ID": "log-1",
    }
    before = len(gateway.log_lines())

    answered = gateway.request("GET", "/api/orders/?search=private-words", headers)

    line = gateway.logged(answered)
    assert len(gateway.log_lines()) == before + 1
    assert (line["path"], line["status"], line["service"], line["client"]) == (
        "/api/orders/",
        "200",
        "orders",
        "127.0.0.1",
    )
    assert line["agent"] == headers["User-Agent"]
    assert "private-words" not in json.dumps(line)
    assert token not in json.dumps(line)


@pytest.mark.parametrize(
    ("agent", "logged"),
    [("curl/8.5", "curl/8.5"), ("Shop/7 (phone of Ada) Kit/2", "Shop/7 "), ("(Ada)", ""),
     ("Shop/7 (Ada\xe9)", "(not ASCII)")],
)  # fmt: skip
def test_log_tells_the_program_of_a_client_and_not_whose_device_it_is(
    gateway: Gateway, agent: str, logged: str
) -> None:
    answered = gateway.request("GET", "/healthz", {"User-Agent": agent})

    assert gateway.logged(answered)["agent"] == logged


def test_agent_in_no_known_letters_does_not_spoil_the_log(gateway: Gateway) -> None:
    answered = gateway.request("GET", "/healthz", {"User-Agent": "\xff\xfe"})

    assert gateway.logged(answered)["agent"] == "(not ASCII)"
    assert gateway.logged(gateway.get("/healthz"))["agent"] == ""


@pytest.mark.parametrize("path", ["/a\x01b", '/"x', "/\xff\xfe", "/${jndi:ldap:x}"])
def test_odd_path_is_one_escaped_line(gateway: Gateway, path: str) -> None:
    before = len(gateway.log_lines())

    answered = parse(
        send_raw(
            gateway.port,
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(
                "latin-1"
            ),
        )
    )

    assert_problem(answered, 400)
    wait_until(lambda: len(gateway.log_lines()) == before + 1, "one line")


TOO_LARGE = b"20001\r\n" + b"x" * 0x20001 + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "body", [b"zz\r\n\r\n", b"ffffffffffffffffffff\r\n", b"1\r\nabc\r\n", TOO_LARGE], ids=range(4)
)
@pytest.mark.parametrize(
    "line",
    [
        "GET /nowhere/",
        "GET /api//orders/",
        "GET /api/orders/",
        "POST /api/auth/token/",
        "PUT /api/orders/",
        "TRACE /api/orders/",
    ],
)
def test_body_that_cannot_be_read_changes_no_problem_into_a_page(
    gateway: Gateway, line: str, body: bytes
) -> None:
    head = (
        f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding:"
        " chunked\r\n\r\n"
    )

    answered = parse(send_raw(gateway.port, head.encode() + body))

    assert answered.status in (400, 401, 404, 405, 413)
    assert_problem(answered, answered.status)


@pytest.mark.parametrize(
    "head",
    [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: odd\r\nContent-Length:"
        " 131073\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length:"
        " 131073\r\n",
        "GET /healthz HTTP/9.9\r\nHost: localhost\r\n",
        "GET /healthz HTTP/2.0\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n",
    ],
)
def test_request_that_no_gateway_can_read_is_the_clients_error(gateway: Gateway, head: str) -> None:
    answered = parse(send_raw(gateway.port, f"{head}Connection: close\r\n\r\n".encode()))

    assert_problem(answered, 400)


SECRET = "do-not-write-me-down"


def test_error_log_is_json_and_tells_nothing_a_request_said(
    own_gateway: StartGateway, own_services: Services, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = own_gateway(ERROR_LOG="stderr", HOLD_SECONDS="0")
    own_services.products.stop()
    headers = {
        "Referer": f"http://{SECRET}/",
        "Authorization": f"Bearer {SECRET}",
        "User-Agent": SECRET,
    }

    for path in (
        f"/api/products/?search={SECRET}",
        f'/api/products/?a="&search={SECRET}',
        f"/api/products/{SECRET}/",
    ):
        assert (
            gateway.request("GET", path.replace('"', "%22"), {"Referer": headers["Referer"]}).status
            == 503
        )
    head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    send_raw(gateway.port, f'GET /api/products/?"x={SECRET} {head}'.encode())
    gateway.stop()

    told = capfd.readouterr().err
    lines = [json.loads(line) for line in told.splitlines() if line]
    refused = [line for line in lines if "connect() failed" in line["event"]]
    assert len(refused) >= 3
    assert {(line["method"], line["client"], line["upstream"]) for line in refused} == {
        ("GET", "127.0.0.1", f"http://{own_services.products.address}")
    }
    assert "/api/products/" in {line["path"] for line in refused}
    assert SECRET not in told.replace(f'"path":"/api/products/{SECRET}/"', "")


def test_configuration_that_is_refused_says_why(
    own_gateway: StartGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        own_gateway(ERROR_LOG="stderr", LIMIT_API_RATE="fast")

    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line for line in told if line["level"] == "emerg" and "fast" in line["event"]]
