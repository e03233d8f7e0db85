"""Errors that a service's server wrote in words of its own: what a client sees is the gateway's
problem.
"""

import gzip
from collections.abc import Callable

import pytest
from harness.client import assert_problem
from harness.nginx import Gateway, Services
from harness.upstream import Answer

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
PATH = "/api/products/"
HTML = b"<html><h1>Bad Request</h1>" + b"<p>Invalid HTTP Header</p>" * 4000
OWN = b'{"status": 409, "code": "out_of_stock", "shortages": []}'


@pytest.fixture
def gateway(own_gateway: StartGateway) -> Gateway:
    return own_gateway(HOLD_SECONDS="0")


@pytest.mark.parametrize(
    "status", [400, 403, 404, 405, 413, 414, 415, 417, 431, 500, 501, 502, 503, 504, 505]
)
@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/html"}, {"Content-Type": "application/json"}, {}]
)
def test_error_that_is_no_problem_becomes_one(
    gateway: Gateway, own_services: Services, status: int, headers: dict[str, str]
) -> None:
    own_services.products.answers[PATH] = Answer(status, HTML, headers)

    answered = gateway.get(PATH)

    assert_problem(answered, status)
    assert b"Invalid HTTP Header" not in answered.body
    assert answered.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("status", "owed"), [(405, "Allow"), (503, "Retry-After"), (401, "WWW-Authenticate")]
)
def test_foreign_error_has_the_headers_that_its_status_owes(
    gateway: Gateway, own_services: Services, status: int, owed: str
) -> None:
    own_services.products.answers[PATH] = Answer(status, HTML, {"Content-Type": "text/html"})

    assert gateway.get(PATH).headers[owed]


def test_foreign_error_loses_what_described_its_body(
    gateway: Gateway, own_services: Services
) -> None:
    own_services.products.answers[PATH] = Answer(
        400,
        gzip.compress(HTML),
        {"Content-Type": "text/html", "Content-Encoding": "gzip", "ETag": '"a"'},
    )

    answered = gateway.request("GET", PATH, {"Accept-Encoding": "gzip"})

    assert_problem(answered, 400)
    assert (answered.headers["Content-Encoding"], answered.headers["ETag"]) == (None, None)


def test_foreign_error_without_a_body_becomes_a_problem(
    gateway: Gateway, own_services: Services
) -> None:
    own_services.products.answers[PATH] = Answer(500, b"", {})

    assert_problem(gateway.get(PATH), 500, "internal_error")


def test_foreign_error_to_head_has_the_headers_of_a_problem(
    gateway: Gateway, own_services: Services
) -> None:
    own_services.products.answers[PATH] = Answer(404, HTML, {"Content-Type": "text/html"})

    answered = gateway.request("HEAD", PATH)

    assert (answered.status, answered.headers["Content-Type"], answered.body) == (
        404,
        "application/problem+json",
        b"",
    )


def test_connection_goes_on_after_a_foreign_error(gateway: Gateway, own_services: Services) -> None:
    own_services.products.answers[PATH] = Answer(400, HTML, {"Content-Type": "text/html"})

    assert [gateway.get(PATH).status for _ in range(5)] == [400] * 5
    del own_services.products.answers[PATH]
    assert gateway.get(PATH).status == 200


@pytest.mark.parametrize(
    "media_type", ["application/problem+json", "application/problem+json; charset=utf-8"]
)
@pytest.mark.parametrize("status", [409, 500, 503])
def test_problem_of_a_service_passes_byte_for_byte(
    gateway: Gateway, own_services: Services, status: int, media_type: str
) -> None:
    own_services.products.answers[PATH] = Answer(
        status, OWN, {"Content-Type": media_type, "Retry-After": "7"}
    )

    answered = gateway.get(PATH)

    assert (answered.status, answered.body, answered.headers["Retry-After"]) == (status, OWN, "7")


@pytest.mark.parametrize("size", [0, 1, 15_000, 16_384, 300_000])
def test_answer_that_is_no_error_passes_byte_for_byte(
    gateway: Gateway, own_services: Services, size: int
) -> None:
    body = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    own_services.products.answers[PATH] = Answer(
        200, body, {"Content-Type": "application/octet-stream"}
    )

    answered = gateway.get(PATH)

    assert (answered.status, answered.body, answered.headers["Content-Type"]) == (
        200,
        body,
        "application/octet-stream",
    )


def test_foreign_error_of_a_socket_is_a_problem(
    gateway: Gateway, own_services: Services, signer: Signer
) -> None:
    own_services.live.answers["/ws/orders/"] = Answer(500, HTML, {"Content-Type": "text/html"})

    assert_problem(gateway.get("/ws/orders/", signer.token()), 500, "internal_error")
