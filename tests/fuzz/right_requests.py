"""What a request is made of before it is bytes, and the right requests that the fuzzer alters."""

import json
from dataclasses import dataclass, replace
from random import Random
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """A request in parts. Texts are written as latin-1, so each character below 256 is a byte."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    version: str = "HTTP/1.1"
    #: Whether the bytes say how long the body is; a mutation may say something else itself.
    counted: bool = True
    #: What the line ends are, and what follows the request on the wire.
    line_end: str = "\r\n"
    after: bytes = b""
    #: Whether it breaks off, so that silence is a right answer.
    unfinished: bool = False

    def with_header(self, name: str, value: str) -> "Request":
        """Add a header beside those of the same name."""
        return replace(self, headers=(*self.headers, (name, value)))

    def without_header(self, name: str) -> "Request":
        kept = tuple(each for each in self.headers if each[0].lower() != name.lower())
        return replace(self, headers=kept)

    def with_only(self, name: str, value: str) -> "Request":
        """Set a header, whatever it was."""
        return self.without_header(name).with_header(name, value)

    def data(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.target} {self.version}".rstrip(" ")]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.counted and (self.body or self.method in ("POST", "PATCH", "PUT")):
            lines.append(f"Content-Length: {len(self.body)}")
        head = self.line_end.join([*lines, "", ""]).encode("latin-1", "replace")
        return head + self.body + self.after


@dataclass(frozen=True)
class Scene:
    """What right requests name: tokens by role, ids that exist."""

    host: str
    customer: str
    staff: str
    refresh: str
    product: str
    order: str
    account: str
    category: str


def right_requests(scene: Scene, random: Random) -> list[tuple[str, str, str, Any]]:
    """(who, method, target, body) of every operation."""
    stranger = f"fuzz-{random.getrandbits(64):x}@fuzz.example"
    product, order = f"/api/products/{scene.product}/", f"/api/orders/{scene.order}/"
    line = {"product": scene.product, "quantity": 1}
    new = {
        "slug": f"fuzz-{random.getrandbits(64):x}",
        "name": "Fuzz",
        "price": "1.00",
        "currency": "GBP",
        "stock": 1,
    }
    return [
        ("", "GET", "/api/products/?page_size=5&search=thing&ordering=name", None),
        ("", "GET", product, None),
        ("", "GET", "/api/categories/", None),
        ("", "GET", f"/api/categories/{scene.category}/", None),
        ("", "GET", "/.well-known/jwks.json", None),
        ("", "GET", "/healthz", None),
        ("", "POST", "/api/auth/token/", {"email": stranger, "password": "a wrong passphrase"}),
        ("", "POST", "/api/auth/refresh/", {"refresh_token": scene.refresh}),
        ("", "POST", "/api/auth/revoke/", {"refresh_token": "x" * 40}),
        ("", "POST", "/api/users/", {"email": stranger, "password": "short"}),
        ("", "POST", "/api/users/registration/", {"token": "x" * 43, "password": "a passphrase"}),
        ("staff", "POST", "/api/users/accounts/", {"email": stranger, "password": "short"}),
        ("", "POST", "/api/auth/second-factor/", {"challenge": "x" * 43, "code": "123456"}),
        ("customer", "GET", "/api/users/me/second-factor/", None),
        ("customer", "POST", "/api/users/me/second-factor/confirm/", {"code": "123456"}),
        ("customer", "GET", "/api/users/me/", None),
        ("customer", "PATCH", "/api/users/me/", {"name": "Fuzz"}),
        ("customer", "POST", "/api/users/me/password/",
        {"current_password": "x", "new_password": "y"}),
        ("customer", "POST", "/api/users/me/delete/", {"password": "x"}),
        ("customer", "POST", "/api/users/me/deactivate/", {"password": "x"}),
        ("customer", "GET", "/api/users/me/sessions/", None),
        ("customer", "GET", "/api/users/me/security-events/?page_size=3", None),
        ("customer", "GET", "/api/users/me/export/", None),
        ("customer", "POST", "/api/users/me/addresses/",
        {"name": "Fuzz", "line1": "1 Row", "city": "London", "country": "GB"}),
        ("staff", "GET", "/api/users/?page_size=3", None),
        ("staff", "GET", "/api/clients/?page_size=3", None),
        ("staff", "PUT", "/api/users/00000000-0000-4000-8000-000000000000/roles/", {"roles": []}),
        ("staff", "POST", "/api/clients/", {"name": "Fuzz", "scopes": ["stock:read"]}),
        ("customer", "GET", "/api/orders/?page_size=3", None),
        ("customer", "GET", order, None),
        ("customer", "GET", f"{order}history/", None),
        ("customer", "POST", "/api/orders/", {"lines": [line]}),
        ("customer", "POST", f"{order}cancel/", {}),
        ("customer", "POST", f"{product}purchase/", {"quantity": 1}),
        ("staff", "POST", "/api/products/", new),
        ("staff", "PATCH", product, {"name": "Fuzz"}),
        ("staff", "DELETE", "/api/products/00000000-0000-4000-8000-000000000000/", None),
        ("staff", "GET", f"{product}stock/", None),
        ("staff", "GET", f"{product}stock/movements/?kind=initial&page_size=5", None),
        ("staff", "POST", f"{product}stock/", {"delta": 1, "reason": "fuzz"}),
        ("staff", "POST", "/api/categories/", {"slug": new["slug"], "name": "Fuzz"}),
        ("customer", "GET", "/ws/orders/", None),
    ]  # fmt: skip


def right_request(scene: Scene, random: Random) -> Request:
    """One of the operations, as a polite client sends it."""
    who, method, target, body = random.choice(right_requests(scene, random))
    headers = [("Host", scene.host), ("User-Agent", "fuzz/1"), ("Accept", JSON)]
    if who:
        token = scene.staff if who == "staff" else scene.customer
        headers.append(("Authorization", f"Bearer {token}"))
    if body is None:
        return Request(method, target, tuple(headers))
    headers.append(("Content-Type", JSON))
    if random.random() < 0.3:
        headers.append(("Idempotency-Key", f"{random.getrandbits(64):x}"))
    return Request(method, target, tuple(headers), json.dumps(body).encode())
