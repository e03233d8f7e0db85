"""Who may ask for what: the table in routes.conf."""

import pytest
from harness.client import assert_problem
from harness.nginx import Gateway, Services

from servicekit.testing.tokens import Signer

PRODUCT = "/api/products/0190a5b4-0000-7000-8000-000000000001"

ROUTES = [
    ("GET", "/.well-known/jwks.json", "users", True),
    ("POST", "/api/auth/token/", "users", True),
    ("POST", "/api/auth/oauth/token/", "users", True),
    ("POST", "/api/users/", "users", True),
    ("POST", "/api/users/registration/", "users", True),
    ("POST", "/api/users/accounts/", "users", False),
    ("GET", "/api/users/", "users", False),
    ("GET", "/api/users/me/", "users", False),
    ("POST", "/api/users/me/password/", "users", False),
    ("POST", "/api/auth/second-factor/", "users", True),
    ("GET", "/api/users/me/second-factor/", "users", False),
    ("POST", "/api/users/me/second-factor/", "users", False),
    ("POST", "/api/users/me/second-factor/disable/", "users", False),
    ("DELETE", "/api/users/0190a5b4-0000-7000-8000-000000000001/second-factor/", "users", False),
    ("POST", "/api/auth/passkey/", "users", True),
    ("POST", "/api/auth/passkey/options/", "users", True),
    ("GET", "/api/users/me/passkeys/", "users", False),
    ("POST", "/api/users/me/passkeys/", "users", False),
    ("POST", "/api/users/me/passkeys/options/", "users", False),
    ("PATCH", "/api/users/me/passkeys/0190a5b4-0000-7000-8000-000000000001/", "users", False),
    ("POST", "/api/users/me/passkeys/0190a5b4-0000-7000-8000-000000000001/remove/", "users", False),
    ("POST", "/api/users/me/verification/", "users", False),
    ("POST", "/api/users/me/email/", "users", False),
    ("POST", "/api/users/verification/", "users", True),
    ("POST", "/api/users/email/", "users", True),
    ("POST", "/api/users/password-reset/", "users", True),
    ("POST", "/api/users/password-reset/confirm/", "users", True),
    ("GET", f"/api/users/{PRODUCT[-36:]}/roles/", "users", False),
    ("PUT", f"/api/users/{PRODUCT[-36:]}/roles/", "users", False),
    ("POST", f"/api/users/{PRODUCT[-36:]}/deactivate/", "users", False),
    ("GET", "/api/clients/", "users", False),
    ("POST", "/api/clients/", "users", False),
    ("POST", f"/api/clients/{PRODUCT[-36:]}/rotate/", "users", False),
    ("POST", "/api/users/me/delete/", "users", False),
    ("POST", "/api/users/me/deactivate/", "users", False),
    ("GET", "/api/users/me/export/", "users", False),
    ("DELETE", f"/api/users/me/sessions/{PRODUCT[-36:]}/", "users", False),
    ("PATCH", f"/api/users/me/addresses/{PRODUCT[-36:]}/", "users", False),
    ("GET", "/api/products/", "products", True),
    ("HEAD", "/api/products/", "products", True),
    ("POST", "/api/products/", "products", False),
    ("GET", f"{PRODUCT}/", "products", True),
    ("PUT", f"{PRODUCT}/", "products", False),
    ("PATCH", f"{PRODUCT}/", "products", False),
    ("DELETE", f"{PRODUCT}/", "products", False),
    ("GET", f"{PRODUCT}/stock/", "products", False),
    ("GET", f"{PRODUCT}/stock/movements/", "products", False),
    ("POST", f"{PRODUCT}/purchase/", "orders", False),
    ("GET", f"{PRODUCT}/images/", "products", True),
    ("POST", f"{PRODUCT}/images/", "products", False),
    ("DELETE", f"{PRODUCT}/images/0190a5b4-0000-7000-8000-000000000004/", "products", False),
    ("GET", "/api/products/facets/", "products", True),
    ("GET", "/api/products/popular/", "products", True),
    ("GET", f"{PRODUCT}/related/", "products", True),
    ("GET", f"{PRODUCT}/reviews/", "products", True),
    ("POST", f"{PRODUCT}/reviews/", "products", False),
    ("GET", "/api/reviews/0190a5b4-0000-7000-8000-000000000003/", "products", True),
    ("DELETE", "/api/reviews/0190a5b4-0000-7000-8000-000000000003/", "products", False),
    ("POST", "/api/products/import/", "products", False),
    ("GET", "/api/products/export/csv/", "products", False),
    ("GET", "/api/bulk-operations/", "products", False),
    ("POST", "/api/bulk-operations/", "products", False),
    ("POST", f"/api/bulk-operations/{PRODUCT[-36:]}/undo/", "products", False),
    ("GET", "/api/categories/", "products", True),
    ("POST", "/api/categories/", "products", False),
    ("PUT", "/api/categories/0190a5b4-0000-7000-8000-000000000002/", "products", False),
    ("GET", "/api/attributes/", "products", True),
    ("POST", "/api/attributes/", "products", False),
    ("PATCH", "/api/attributes/0190a5b4-0000-7000-8000-000000000004/", "products", False),
    ("GET", "/api/cart/", "orders", True),
    ("POST", "/api/cart/lines/", "orders", True),
    ("DELETE", "/api/cart/lines/", "orders", True),
    ("PUT", f"/api/cart/lines/{PRODUCT[-36:]}/", "orders", True),
    ("DELETE", f"/api/cart/lines/{PRODUCT[-36:]}/", "orders", True),
    ("POST", "/api/cart/checkout/", "orders", False),
    ("GET", "/api/orders/", "orders", False),
    ("POST", "/api/orders/", "orders", False),
]
# An old token in the header is not read there (test_tokens.py).
PROVEN_BY_THEIR_BODY = [
    ("POST", "/api/auth/token/"),
    ("POST", "/api/auth/passkey/"),
    ("POST", "/api/auth/passkey/options/"),
    ("POST", "/api/auth/second-factor/"),
    ("POST", "/api/auth/oauth/token/"),
    ("POST", "/api/users/"),
    ("POST", "/api/users/registration/"),
    ("POST", "/api/users/verification/"),
    ("POST", "/api/users/email/"),
    ("POST", "/api/users/password-reset/"),
    ("POST", "/api/users/password-reset/confirm/"),
]


@pytest.mark.parametrize(("method", "path", "service", "public"), ROUTES)
def test_route_leads_to_its_service(
    gateway: Gateway,
    services: Services,
    signer: Signer,
    method: str,
    path: str,
    service: str,
    public: bool,
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}"}

    answered = gateway.request(method, path, headers)

    assert answered.status == 200
    assert getattr(services, service).requests_for(path)[-1].method == method


@pytest.mark.parametrize(("method", "path", "service", "public"), ROUTES)
def test_route_without_token_is_open_only_where_the_table_says(
    gateway: Gateway, services: Services, method: str, path: str, service: str, public: bool
) -> None:
    answered = gateway.request(method, path)

    if public:
        assert answered.status == 200
        return
    assert answered.status == 401
    assert answered.headers["WWW-Authenticate"] == 'Bearer realm="souk"'
    assert services.seen() == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path, *_ in ROUTES if (method, path) not in PROVEN_BY_THEIR_BODY],
)
def test_route_refuses_bad_token_even_where_none_is_needed(
    gateway: Gateway, services: Services, method: str, path: str
) -> None:
    answered = gateway.request(method, path, {"Authorization": "Bearer a.b.c"})

    assert answered.status == 401
    assert answered.headers.get_all("WWW-Authenticate") == [
        'Bearer realm="souk", error="invalid_token"'
    ]
    assert not [
        seen
        for upstream in services.all()
        for seen in upstream.seen
        if seen.path == path != "/.well-known/jwks.json"
    ]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/orders/", "GET,HEAD,POST"),
        ("DELETE", "/api/orders/", "GET,HEAD,POST"),
        ("POST", f"{PRODUCT}/stock/movements/", "GET,HEAD"),
        ("GET", "/api/auth/token/", "POST"),
        ("HEAD", "/api/auth/token/", None),
        ("GET", "/api/products/import/", "POST"),
        ("POST", "/api/products/export/csv/", "GET,HEAD"),
        ("FOO", "/api/products/", "GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("OPTIONS", "/api/products/", "GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("TRACE", "/api/products/", "GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("POST", "/healthz", "GET,HEAD"),
        ("GE", "/api/products/", "GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("PROPFIND", "/api/products/", "GET,HEAD,POST,PUT,PATCH,DELETE"),
    ],
)
def test_other_method_is_405_with_allow(
    gateway: Gateway, services: Services, method: str, path: str, allowed: str | None
) -> None:
    answered = gateway.request(method, path)

    assert answered.status == 405
    assert answered.headers["Allow"] == (allowed or "POST")
    if method != "HEAD":
        assert_problem(answered, 405, "method_not_allowed")
    assert services.seen() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api/", "/api/orders", "/api/orders./", "/API/orders/", "/metrics", "/livez",
        "/__catalogue", "/admin/", "/api/admin/",
        "/api/metrics/", "/__problem", "/__auth", "/verify", "/keys/current", "/keys/fetch",
        "/.git/config", "/.env", "/nginx.conf",
        "/ws/", "/healthz/", "/internal/revocations/", "/static/../etc/passwd".replace("..", "x"),
    ],
)  # fmt: skip
def test_unknown_path_is_404(gateway: Gateway, services: Services, path: str) -> None:
    answered = gateway.get(path)

    assert_problem(answered, 404, "not_found")
    assert services.seen() == 0


def test_preflight_of_foreign_origin_gets_no_permission(gateway: Gateway) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    answered = gateway.request("OPTIONS", "/api/orders/", headers)

    assert_problem(answered, 405)
    assert not [name for name in answered.headers if name.lower().startswith("access-control-")]


def test_healthz_answers_without_any_service(gateway: Gateway, services: Services) -> None:
    answered = gateway.get("/healthz")

    assert (answered.status, answered.json) == (200, {"status": "ok"})
    assert services.seen() == 0


def test_socket_upgrade_reaches_live(gateway: Gateway, services: Services, signer: Signer) -> None:
    headers = {
        "Authorization": f"Bearer {signer.token()}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "k",
    }

    gateway.request("GET", "/ws/orders/", headers)

    seen = services.live.requests_for("/ws/orders/")[-1]
    assert (
        seen.header("Upgrade"),
        seen.header("Connection"),
        seen.header("Sec-WebSocket-Key"),
    ) == (
        "websocket",
        "upgrade",
        "k",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/HEALTHZ",
        "/healthZ",
        "/API/USERS/",
        "/api/Users/",
        "/.well-known/JWKS.json",
        "/WS/orders/",
        "/api/PRODUCTS/",
    ],
)
def test_path_in_other_letters_is_another_path(
    gateway: Gateway, services: Services, signer: Signer, path: str
) -> None:
    answered = gateway.get(path, signer.token())

    assert_problem(answered, 404, "not_found")
    assert services.seen() == 0
