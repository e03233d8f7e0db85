"""Nothing personal of a deleted account is left anywhere in the shop, and its books add up."""

import hashlib
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
from harness import PASSWORD, Person, Shop, wait_until
from mails import ASK_EMAIL, ASK_RESET, CHANGE, MailSink, sign_up, spend
from test_poison import headers_of, publish
from traces import places_with

ME, ADDRESSES = "/api/users/me/", "/api/users/me/addresses/"
REVOKED = "users.user_sessions_revoked.v1"
#: What the broker keeps of events that nobody reads (servicekit.messaging.broker_definitions).
SECONDS = 120


def marker(word: str) -> str:
    return f"{word}{uuid.uuid4().hex[:12]}"


@dataclass
class Traces:
    """What somebody tells the shop of themself: each a text that is found nowhere else."""

    name: str = field(default_factory=lambda: f"{marker('Zoë')} Quillfeather")
    first_email: str = field(default_factory=lambda: f"{marker('first')}@e2e.example")
    email: str = field(default_factory=lambda: f"{marker('second')}@e2e.example")
    wished_email: str = field(default_factory=lambda: f"{marker('wished')}@e2e.example")
    recipient: str = field(default_factory=lambda: marker("recipient"))
    line1: str = field(default_factory=lambda: marker("street"))
    line2: str = field(default_factory=lambda: marker("floor"))
    postcode: str = field(default_factory=lambda: marker("post")[:16])
    city: str = field(default_factory=lambda: marker("city"))
    region: str = field(default_factory=lambda: marker("region"))
    phone: str = field(default_factory=lambda: f"+44{uuid.uuid4().int % 10**16:016}")
    device: str = field(default_factory=lambda: f"Browser/7 ({marker('phone of Zoe')})")
    title: str = field(default_factory=lambda: marker("title"))
    comment: str = field(default_factory=lambda: marker("comment"))
    note: str = field(default_factory=lambda: marker("note"))
    tracking: str = field(default_factory=lambda: marker("tracking"))
    search: str = field(default_factory=lambda: marker("search"))
    key: str = field(default_factory=lambda: marker("key"))

    @property
    def address(self) -> dict[str, str]:
        lines = {"line1": self.line1, "line2": self.line2, "postcode": self.postcode}
        place = {"city": self.city, "region": self.region, "country": "GB", "phone": self.phone}
        return {"name": self.recipient, **lines, **place}

    def texts(self) -> list[str]:
        """Return all of them, and the hashes by which tries at the addresses are counted."""
        tried = (self.first_email, self.email, f"mails to {self.first_email}")
        return [*vars(self).values(), *map(counted, tried)]


def counted(address: str) -> str:
    """Return the hash of an address as users.services.login_attempts has it."""
    return hashlib.sha256(address.encode()).hexdigest()


@pytest.fixture
def sink(ops):
    sink = MailSink(ops["SOUK_MAIL_URL"])
    yield sink
    sink.http.close()


@pytest.fixture
def every_statement_is_slow(stack):
    """Let PostgreSQL log each statement, as it does with those that take a second."""

    def set_to(value: str) -> None:
        with stack.database("users") as connection:
            connection.execute(f"ALTER SYSTEM {value}")
            connection.execute("SELECT pg_reload_conf()")

    set_to("SET log_min_duration_statement = 0")
    yield
    set_to("RESET log_min_duration_statement")


def answered(answer: httpx.Response, *statuses: int) -> httpx.Response:
    assert answer.status_code in statuses, f"{answer.request.url}: {answer.text}"
    return answer


def come_in(shop: Shop, sink: MailSink, told: Traces) -> Person:
    """Register, mistype the password, log in, and tell name and address."""
    sign_up(shop, sink, told.first_email)
    wrong = {"email": told.first_email, "password": "not this one"}
    answered(shop.call("POST", "/api/auth/token/", json=wrong), 401)
    person = shop.log_in(told.first_email, PASSWORD)
    answered(shop.call("PATCH", ME, person, json={"name": told.name}), 200)
    answered(shop.call("POST", ADDRESSES, person, json=told.address), 201)
    # The database refuses the first of these, the serializer the second.
    body = {"email": told.first_email, "password": PASSWORD}
    answered(shop.call("POST", "/api/users/", json=body), 202, 400, 409)
    answered(shop.call("POST", "/api/users/", json={**body, "phone": told.phone}), 400)
    return person


def buy_and_review(shop: Shop, staff: Person, person: Person, told: Traces) -> None:
    product = shop.add_product(staff)["id"]
    line = {"product": product, "quantity": 1}
    answered(shop.call("POST", "/api/cart/lines/", person, json=line), 200)
    details = {"shipping_address": told.address, "billing_address": told.address, "note": told.note}
    body = {"lines": [line], **details}
    placed = shop.call("POST", "/api/orders/", person, key=told.key, json=body)
    order = answered(placed, 201).json()["id"]
    assert shop.settled(person, order)["status"] == "confirmed"
    parcel = {"carrier": "Post", "tracking_number": told.tracking}
    answered(
        shop.call("POST", f"/api/orders/{order}/ship/", staff, key=uuid.uuid4().hex, json=parcel),
        200,
    )
    reviews = f"/api/products/{product}/reviews/"
    review = {"rating": 4, "title": told.title, "comment": told.comment}
    wait_until(
        lambda: shop.call("POST", reviews, person, json=review).status_code == 201,
        what="products knows of the purchase",
    )
    for _ in range(2):
        assert told.comment in shop.call("GET", reviews).text
    shop.call("GET", "/api/products/", person, params={"search": told.search})


def found_by_staff(shop: Shop, staff: Person, told: Traces) -> None:
    for query in ({"email": told.first_email}, {"name": told.name}):
        found = answered(shop.call("GET", "/api/users/", staff, params=query), 200).json()
        assert len(found["results"]) == 1


def move_out(shop: Shop, stack, sink: MailSink, person: Person, told: Traces) -> None:
    """Change the address, and wish for another, while mails wait: nothing of it is sent."""
    body = {"new_email": told.email, "current_password": PASSWORD}
    answered(shop.call("POST", ASK_EMAIL, person, json=body), 202)
    token = sink.awaited(told.email, "Confirm your new address").token
    with stack.stopped("mailsink"):
        spend(shop, CHANGE, token)
        answered(
            shop.call("POST", ASK_EMAIL, person, json={**body, "new_email": told.wished_email}), 202
        )
        waiting = "SELECT count(*) FROM mail WHERE recipient IN (%s, %s)"
        wait_until(
            lambda: stack.number("users", waiting, told.first_email, told.wished_email) == 2,
            what="mails to the old and to the new address wait",
        )
        answered(shop.call("POST", ASK_RESET, json={"email": told.email}), 202)
        poison(stack, person, told)
        assert_found(stack, told)
        answered(shop.call("POST", f"{ME}delete/", person, json={"password": PASSWORD}), 204)
        found = places_with(stack, told.texts()).values()
        assert [place for places in found for place in places if place.startswith("users:")] == []


def poison(stack, person: Person, told: Traces) -> None:
    """Publish what a faulty release might: an event that tells all it knows, and is none."""
    event_id = str(uuid.uuid4())
    data = {"user_id": person.id, "session_id": "none", **vars(told)}
    message = (headers_of(event_id, REVOKED), json.dumps(data).encode())
    publish(stack.ops["OPS_BROKER_URL"], "users.events", REVOKED, [message])
    letters = "SELECT count(*) FROM dead_letter WHERE event_id = %s"
    for service in ("products", "orders"):
        wait_until(
            lambda service=service: stack.number(service, letters, event_id) == 1,
            what=f"{service} has a dead letter",
        )


def assert_found(stack, told: Traces) -> None:
    """What is looked for afterwards is there before, but for what nobody writes down."""
    found = places_with(stack, told.texts())
    assert set(vars(told).values()) - found.keys() <= {told.search}
    assert counted(told.email) in found
    assert any(place.startswith("queue") for place in found[told.comment])


def test_deleted_account_leaves_no_trace_anywhere(
    shop, stack, staff, sink, every_statement_is_slow
):
    told = Traces()
    shop.http.headers["User-Agent"] = told.device
    try:
        person = come_in(shop, sink, told)
        buy_and_review(shop, staff, person, told)
        found_by_staff(shop, staff, told)
        move_out(shop, stack, sink, person, told)
    finally:
        del shop.http.headers["User-Agent"]

    left: dict[str, dict[str, list[str]]] = {}

    def is_gone() -> bool:
        left["found"] = places_with(stack, told.texts())
        return left["found"] == {}

    with suppress(AssertionError):
        wait_until(is_gone, seconds=SECONDS)
    assert left["found"] == {}, left["found"]
    # What waited for the mail server when the account was deleted is never sent.
    for address in (told.first_email, told.email, told.wished_email):
        assert sink.subjects(address) == []
    stack.audit()
