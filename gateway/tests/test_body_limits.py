"""How large a body may be, by route: a few KiB where a stranger may send it, and where no more is
ever needed.
"""

from collections.abc import Callable

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services

from servicekit.testing.tokens import Signer

PRODUCT = "/api/products/0190a5b4-0000-7000-8000-000000000001/"
IMPORT, FILE = "/api/products/import/", 50 << 20
SMALL, LARGE, IMAGE = 8 << 10, 128 << 10, 10 << 20
LIMITS = [
    ("POST", "/api/auth/token/", SMALL), ("POST", "/api/auth/refresh/", SMALL),
    ("POST", "/api/auth/revoke/", SMALL),
    ("POST", "/api/users/", SMALL), ("PATCH", "/api/users/me/", SMALL),
    ("POST", "/api/users/me/password/", SMALL),
    ("POST", "/api/auth/second-factor/", SMALL),
    ("POST", "/api/users/me/second-factor/", SMALL),
    ("POST", "/api/auth/passkey/", SMALL), ("POST", "/api/users/me/passkeys/", SMALL),
    ("POST", f"{PRODUCT}purchase/", SMALL), ("POST", f"{PRODUCT}stock/", SMALL),
    ("POST", "/api/categories/", SMALL),
    ("POST", "/api/products/", LARGE), ("PATCH", PRODUCT, LARGE), ("POST", "/api/orders/", LARGE),
    ("POST", f"{PRODUCT}images/", IMAGE),
    ("PATCH", f"{PRODUCT}images/0190a5b4-0000-7000-8000-000000000004/", SMALL),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "limit"), LIMITS)
def test_largest_body_of_a_route_passes_and_one_more_byte_is_413(
    gateway: Gateway, services: Services, signer: Signer, method: str, path: str, limit: int
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Type": "application/json"}

    passed = gateway.request(method, path, headers, b" " * limit)
    refused = gateway.request(method, path, headers, b" " * (limit + 1))

    assert passed.json["size"] == limit
    assert_problem(refused, 413, "body_too_large")
    words = f" {limit >> 20} MiB" if limit == IMAGE else f" {limit >> 10} KiB"
    assert words in refused.json["detail"]
    assert sum(len(service.requests_for(path)) for service in services.all()) == 1


@pytest.mark.parametrize(("path", "limit"), [("/api/auth/token/", SMALL), ("/api/orders/", LARGE)])
def test_chunked_body_has_the_same_limit(
    gateway: Gateway, services: Services, signer: Signer, path: str, limit: int
) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {signer.token()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    body = f"{limit + 1:x}\r\n{' ' * (limit + 1)}\r\n0\r\n\r\n"

    refused = parse(send_raw(gateway.port, (head + body).encode()))

    assert_problem(refused, 413, "body_too_large")
    assert services.seen() == 0


def test_file_of_products_passes_as_it_comes_and_may_be_large(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Type": "text/csv"}

    passed = gateway.request("POST", IMPORT, headers, b" " * FILE)
    refused = gateway.request("POST", IMPORT, headers, b" " * (FILE + 1))

    assert passed.json["size"] == FILE
    assert_problem(refused, 413, "body_too_large")
    assert " 50 MiB" in refused.json["detail"]
    assert len(services.products.requests_for(IMPORT)) == 1
    assert "buffered to a temporary file" not in gateway.errors()


def test_file_of_products_is_sent_once_though_its_service_is_away(
    own_gateway: Callable[..., Gateway], own_services: Services, signer: Signer
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Type": "text/csv"}
    own_services.products.stop()

    refused = own_gateway().request("POST", IMPORT, headers, b" " * (1 << 20))

    assert_problem(refused, 502, "service_unavailable")
