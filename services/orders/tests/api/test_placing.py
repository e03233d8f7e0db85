"""Orders over HTTP, as a client meets them."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import MAX_LINES, CatalogueProduct, Order, Status
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.waiting import wait_until
from tests.factories import make_order, make_product, rejected, reserved

PATH = "/api/orders/"


def lines(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"lines": [{"product": str(product), "quantity": quantity} for product, quantity in pairs]}


def decide(message_for: Any) -> threading.Thread:
    """Let the next placed order be decided, as products would do it, in a thread of its own."""

    def run() -> None:
        try:
            order = wait_until(lambda: Order.objects.filter(status=Status.PENDING).first())
            deliver(router, "orders.stock", [message_for(order)])
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db
def test_placing_answers_at_once_with_a_pending_order(customer: Caller) -> None:
    product = make_product(price="3.39", name="Lantern")

    answer = customer.post(PATH, lines((product.product_id, 2)))

    body = decoded(answer, 201)
    assert answer["Location"] == f"/api/orders/{body['id']}/"
    assert body["placed_at"].endswith("Z")
    assert {name: body[name] for name in ("status", "total", "currency", "user", "version")} == {
        "status": "pending",
        "total": "6.78",
        "currency": "GBP",
        "user": str(customer.id),
        "version": 1,
    }
    assert decoded(customer.get(answer["Location"])) == body


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_with_the_confirmed_order(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: reserved(order.pk))

    answer = customer.post(PATH, lines((product.product_id, 1)), Prefer="wait=10")

    thread.join()
    assert decoded(answer, 201)["status"] == "confirmed"
    assert answer["Preference-Applied"] == "wait=10"


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_with_every_short_line(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: rejected(order.pk, product.product_id, requested=3, available=1))

    answer = customer.post(PATH, lines((product.product_id, 3)), Prefer="wait=10")

    thread.join()
    body = problem(answer, 409, "out_of_stock")
    assert body["shortages"] == [
        {
            "product": str(product.product_id),
            "requested": 3,
            "available": 1,
            "reason": "insufficient_stock",
        }
    ]
    assert body["order"]["status"] == "rejected"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prefer", ["wait=0", "wait=1", 'respond-async, wait="1"', "WAIT=1"])
def test_waiting_in_vain_answers_202(customer: Caller, prefer: str) -> None:
    product = make_product()

    answer = customer.post(PATH, lines((product.product_id, 1)), Prefer=prefer)

    assert decoded(answer, 202)["status"] == "pending"
    assert "Location" in answer


@pytest.mark.django_db
@pytest.mark.parametrize("prefer", ["wait", "wait=-1", "wait=x", "return=minimal", "wait=1.5", ""])
def test_preference_that_cannot_be_read_is_ignored(customer: Caller, prefer: str) -> None:
    product = make_product()

    decoded(customer.post(PATH, lines((product.product_id, 1)), Prefer=prefer), 201)


@pytest.mark.django_db(transaction=True)
def test_purchase_waits_by_itself(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: reserved(order.pk))

    answer = customer.post(f"/api/products/{product.product_id}/purchase/", {"quantity": 2})

    thread.join()
    body = decoded(answer)
    assert (body["status"], body["order"]["lines"][0]["quantity"]) == ("purchased", 2)


@pytest.mark.django_db(transaction=True)
def test_purchase_of_the_last_unit_by_somebody_else_is_409(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: rejected(order.pk, product.product_id, requested=1, available=0))

    answer = customer.post(f"/api/products/{product.product_id}/purchase/", {})

    thread.join()
    assert problem(answer, 409, "out_of_stock")["shortages"][0]["available"] == 0


@pytest.mark.django_db
def test_purchase_of_an_unknown_product_is_409_and_leaves_nothing(customer: Caller) -> None:
    problem(customer.post(f"/api/products/{uuid7()}/purchase/", {}), 409, "product_unavailable")

    assert not Order.objects.exists()


@pytest.mark.django_db
def test_same_key_gets_the_same_answer_and_says_so(customer: Caller) -> None:
    product = make_product()
    first = customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key="536365")

    again = customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key="536365")

    assert decoded(again, 201) == decoded(first, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Order.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db(transaction=True)
def test_purchase_repeated_after_a_cancel_is_answered_like_the_first(customer: Caller) -> None:
    path = f"/api/products/{make_product().product_id}/purchase/"
    thread = decide(lambda order: reserved(order.pk))
    first = customer.post(path, {}, Idempotency_Key="536365")
    thread.join()
    order_id = decoded(first)["order"]["id"]
    decoded(customer.post(f"{PATH}{order_id}/cancel/"))

    again = customer.post(path, {}, Idempotency_Key="536365")

    assert (again.status_code, again.content) == (200, first.content)
    assert again["Location"] == first["Location"] == f"{PATH}{order_id}/"
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_awaited_order_repeated_after_a_cancel_is_answered_like_the_first(customer: Caller) -> None:
    body = lines((make_product().product_id, 1))
    thread = decide(lambda order: reserved(order.pk))
    first = customer.post(PATH, body, Idempotency_Key="k", Prefer="wait=10")
    thread.join()
    decoded(customer.post(f"{first['Location']}cancel/"))

    for headers in ({"Prefer": "wait=10"}, {}, {"Prefer": "wait=0"}):
        again = customer.post(PATH, body, Idempotency_Key="k", **headers)
        assert (again.status_code, again.content) == (201, first.content)
        assert again["Location"] == first["Location"]


@pytest.mark.django_db(transaction=True)
def test_refusal_repeated_is_the_same_refusal(customer: Caller) -> None:
    product = make_product()
    path = f"/api/products/{product.product_id}/purchase/"
    thread = decide(lambda order: rejected(order.pk, product.product_id, requested=1, available=0))
    first = problem(customer.post(path, {}, Idempotency_Key="k"), 409, "out_of_stock")
    thread.join()

    answer = customer.post(path, {}, Idempotency_Key="k")

    again = problem(answer, 409, "out_of_stock")
    assert {**again, "request_id": ""} == {**first, "request_id": ""}
    assert answer["Idempotency-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prefer", ["wait=0", "wait=5"])
def test_undecided_answer_repeated_tells_the_outcome_and_keeps_it(customer: Caller, prefer: str) -> None:
    path, order = f"/api/products/{make_product().product_id}/purchase/", Order.objects
    decoded(customer.post(path, {}, Idempotency_Key="k", Prefer="wait=0"), 202)
    deliver(router, "orders.stock", [reserved(order.get().pk)])

    told = customer.post(path, {}, Idempotency_Key="k", Prefer=prefer)
    decoded(customer.post(f"{PATH}{order.get().pk}/cancel/"))
    again = customer.post(path, {}, Idempotency_Key="k", Prefer=prefer)

    assert decoded(told)["status"] == "purchased"
    assert (again.status_code, again.content) == (200, told.content)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wait_first", [False, True])
def test_undecided_answer_repeated_after_a_cancel_stays(customer: Caller, wait_first: bool) -> None:
    path = f"/api/products/{make_product().product_id}/purchase/"
    first = customer.post(path, {}, Idempotency_Key="k", Prefer="wait=1" if wait_first else "wait=0")
    decoded(customer.post(f"{first['Location']}cancel/"))

    again = customer.post(path, {}, Idempotency_Key="k", Prefer="wait=0")

    assert (again.status_code, again.content) == (202, first.content)
    assert again["Location"] == first["Location"]


@pytest.mark.django_db(transaction=True)
def test_repeats_at_once_get_one_answer(customer: Caller) -> None:
    body, answers = lines((make_product().product_id, 1)), []

    def ask() -> None:
        try:
            answers.append(customer.post(PATH, body, Idempotency_Key="k", Prefer="wait=10"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    decide(lambda order: reserved(order.pk)).join()
    for thread in threads:
        thread.join()

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert decoded(answers[0], 201)["status"] == "confirmed"


@pytest.mark.django_db
def test_order_answered_at_once_is_answered_so_again(customer: Caller) -> None:
    body = lines((make_product().product_id, 1))
    first = customer.post(PATH, body, Idempotency_Key="k")
    deliver(router, "orders.stock", [reserved(Order.objects.get().pk)])

    for headers in ({}, {"Prefer": "wait=5"}):
        again = customer.post(PATH, body, Idempotency_Key="k", **headers)
        assert (again.status_code, again.content) == (201, first.content)


@pytest.mark.django_db
def test_same_key_with_another_body_is_422(customer: Caller) -> None:
    product = make_product()
    customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key="536365")

    answer = customer.post(PATH, lines((product.product_id, 2)), Idempotency_Key="536365")

    problem(answer, 422, "idempotency_key_reused")
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_key_after_a_refusal_is_free(customer: Caller) -> None:
    product = make_product(active=False)
    problem(customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key="k"), 409)
    product.active = True
    product.save()

    decoded(customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key="k"), 201)


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel"])
def test_bad_key_is_400(customer: Caller, key: str) -> None:
    product = make_product()

    problem(customer.post(PATH, lines((product.product_id, 1)), Idempotency_Key=key), 400)

    assert not Order.objects.exists()


@pytest.mark.django_db
def test_order_of_too_large_a_total_is_409_with_a_pointer_and_leaves_nothing(
    customer: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    products = [make_product(price="9999999999.99") for _ in range(101)]
    most = [(one.product_id, 1_000_000) for one in products]

    body = problem(customer.post(PATH, lines(*most)), 409, "total_too_large", "/lines")

    assert body["maximum"] == "999999999999999999.99"
    assert not Order.objects.exists()
    assert not outbox_events()
    assert "unchecked" not in caplog.text


@pytest.mark.django_db
def test_order_of_the_largest_total_is_placed(customer: Caller) -> None:
    products = [make_product(price="9999999999.99") for _ in range(100)]

    answer = customer.post(PATH, lines(*[(one.product_id, 1_000_000) for one in products]))

    assert decoded(answer, 201)["total"] == "999999999999000000.00"
    (event,) = outbox_events()
    assert event["data"]["total"] == "999999999999000000.00"


ONE = "00000000-0000-7000-8000-000000000001"
BAD_BODIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "nothing": ({}, ("/lines",)),
    "no lines": ({"lines": []}, ("/lines",)),
    "null": ({"lines": None}, ("/lines",)),
    "array": ([], ()),
    "text": ("lines", ()),
    "line is text": ({"lines": ["x"]}, ("/lines/0",)),
    "no product": ({"lines": [{"quantity": 1}]}, ("/lines/0/product",)),
    "no quantity": ({"lines": [{"product": ONE}]}, ("/lines/0/quantity",)),
    "zero": (lines((ONE, 0)), ("/lines/0/quantity",)),
    "negative": (lines((ONE, -1)), ("/lines/0/quantity",)),
    "fraction": (lines((ONE, 1.5)), ("/lines/0/quantity",)),
    "whole float": (lines((ONE, 1.0)), ("/lines/0/quantity",)),
    "text number": (lines((ONE, "1")), ("/lines/0/quantity",)),
    "boolean": (lines((ONE, True)), ("/lines/0/quantity",)),
    "huge": (lines((ONE, 10**30)), ()),
    "million and one": (lines((ONE, 1_000_001)), ("/lines/0/quantity",)),
    "not an id": (lines(("x", 1)), ("/lines/0/product",)),
    "number as id": ({"lines": [{"product": 7, "quantity": 1}]}, ("/lines/0/product",)),
    "own price": (
        {"lines": [{"product": ONE, "quantity": 1, "unit_price": "0.01"}]},
        ("/lines/0/unit_price",),
    ),
    "own user": ({**lines((ONE, 1)), "user": ONE}, ("/user",)),
    "second line": (lines((ONE, 1), (ONE, 0)), ("/lines/1/quantity",)),
    "too many": (lines(*[(ONE, 1)] * 1001), ("/lines",)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_BODIES)
def test_invalid_order_is_400_with_a_pointer_and_leaves_nothing(customer: Caller, name: str) -> None:
    body, pointers = BAD_BODIES[name]

    problem(customer.post(PATH, body), 400, "", *pointers)

    assert not Order.objects.exists()
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"lines": [], "lines": []}',
        b'{"lines": NaN}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"lines": [{"product": "\\u0000", "quantity": 1}]}',
        b'{"lines": [{"product": "\\ud800", "quantity": 1}]}',
    ],
    ids=["empty", "cut", "twice", "NaN", "not UTF-8", "deep", "NUL", "surrogate"],
)
def test_unreadable_body_is_400(customer: Caller, raw: bytes) -> None:
    problem(customer.call("POST", PATH, raw=raw), 400)

    assert not Order.objects.exists()


@pytest.mark.django_db
def test_other_media_types_and_methods_are_refused(customer: Caller) -> None:
    problem(customer.call("POST", PATH, raw=b"a=1", content_type="application/x-www-form-urlencoded"), 415)
    answer = customer.call("DELETE", PATH)
    problem(answer, 405)
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    problem(customer.get(PATH, Accept="text/html"), 406)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [PATH, f"{PATH}{ONE}/", f"{PATH}{ONE}/history/"])
def test_nobody_gets_401_with_a_challenge(nobody: Caller, path: str) -> None:
    answer = nobody.get(path)

    problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")
    problem(nobody.post(PATH, {}), 401)


@pytest.mark.django_db
def test_somebody_elses_order_does_not_exist(customer: Caller, stranger: Caller) -> None:
    order = make_order(user_id=customer.id)

    for answer in (
        stranger.get(f"{PATH}{order.pk}/"),
        stranger.get(f"{PATH}{order.pk}/history/"),
        stranger.post(f"{PATH}{order.pk}/cancel/"),
    ):
        problem(answer, 404)

    order.refresh_from_db()
    assert order.status == Status.PENDING
    assert decoded(stranger.get(PATH))["results"] == []


@pytest.mark.django_db
def test_unknown_and_malformed_ids_are_404(customer: Caller) -> None:
    for order_id in (uuid7(), "1", "x" * 300, "..%2f"):
        problem(customer.get(f"{PATH}{order_id}/"), 404)


@pytest.mark.django_db
def test_order_that_the_client_has_is_304(customer: Caller, stranger: Caller) -> None:
    order = make_order(user_id=customer.id)
    path = f"{PATH}{order.pk}/"
    tag = customer.get(path)["ETag"]

    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = customer.get(path, If_None_Match=sent)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    problem(stranger.get(path, If_None_Match="*"), 404)
    decoded(customer.post(f"{path}cancel/"))
    assert decoded(customer.get(path, If_None_Match=tag))["status"] == "cancelled"


@pytest.mark.django_db
def test_staff_read_cancel_and_filter_everybodys(customer: Caller, staff: Caller) -> None:
    order, _other = make_order(user_id=customer.id), make_order()

    found = decoded(staff.get(f"{PATH}?user={customer.id}"))["results"]
    cancelled = decoded(staff.post(f"{PATH}{order.pk}/cancel/"))

    assert [one["id"] for one in found] == [str(order.pk)]
    assert len(decoded(staff.get(PATH))["results"]) == 2
    assert cancelled["status"] == "cancelled"
    assert outbox_events("orders.order_cancelled.v1")[0]["data"]["reason"] == "staff"


@pytest.mark.django_db
def test_cancel_of_a_rejected_order_is_409_and_tells_its_state(customer: Caller) -> None:
    order = make_order(user_id=customer.id, status=Status.REJECTED, settled_at=timezone.now())

    body = problem(customer.post(f"{PATH}{order.pk}/cancel/"), 409, "not_cancellable")

    assert body["order_status"] == "rejected"


@pytest.mark.django_db
def test_history_tells_each_state(customer: Caller) -> None:
    order = make_order(user_id=customer.id)
    customer.post(f"{PATH}{order.pk}/cancel/")

    rows = decoded(customer.get(f"{PATH}{order.pk}/history/"))["results"]

    assert [(row["from"], row["to"], row["note"]) for row in rows] == [
        (None, "pending", ""),
        ("pending", "cancelled", "by customer"),
    ]


@pytest.mark.django_db
def test_list_pages_newest_first_without_gaps(customer: Caller) -> None:
    product = make_product()
    made = [str(make_order({product.product_id: 1}, user_id=customer.id).pk) for _ in range(7)]

    seen, link = [], f"{PATH}?page_size=3"
    while link:
        page = decoded(customer.get(link))
        seen += [one["id"] for one in page["results"]]
        link = page["next"]

    assert seen == made[::-1]


@pytest.mark.django_db
def test_list_filters_by_status(customer: Caller) -> None:
    make_order(user_id=customer.id)
    gone = make_order(user_id=customer.id, status=Status.CANCELLED, settled_at=timezone.now())

    found = decoded(customer.get(f"{PATH}?status=cancelled"))["results"]

    assert [one["id"] for one in found] == [str(gone.pk)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["status=lost", "page_size=0", "page_size=101", "page_size=x", "cursor=x", "sort=total", "status=a&status=b",
     "user=x", "status=%00", "cursor=" + "A" * 3000],
)  # fmt: skip
def test_bad_query_is_400(customer: Caller, query: str) -> None:
    problem(customer.get(f"{PATH}?{query}"), 400)


@pytest.mark.django_db
def test_customers_cannot_ask_for_somebody(customer: Caller) -> None:
    problem(customer.get(f"{PATH}?user={uuid7()}"), 400)


@pytest.mark.django_db
def test_identity_headers_change_nothing(customer: Caller) -> None:
    order = make_order()
    pretended = {"X_User_Id": str(order.user_id), "X_Roles": "staff", "X_Forwarded_User": "staff"}

    problem(customer.get(f"{PATH}{order.pk}/", **pretended), 404)


@pytest.mark.django_db(transaction=True)
def test_waiters_leave_threads_for_others(customer: Caller, settings: Any) -> None:
    from orders.api import waiting

    product = make_product()
    places = waiting._places._value
    for _ in range(places):
        assert waiting._places.acquire(blocking=False)
    try:
        started = timezone.now()
        answer = customer.post(PATH, lines((product.product_id, 1)), Prefer="wait=10")
        waited = timezone.now() - started
    finally:
        for _ in range(places):
            waiting._places.release()

    assert decoded(answer, 202)["status"] == "pending"
    assert waited < timedelta(seconds=9)


@pytest.mark.django_db
def test_ids_are_uuid_version_7(customer: Caller) -> None:
    product = make_product()

    body = decoded(customer.post(PATH, lines((product.product_id, 1))), 201)

    assert UUID(body["id"]).version == 7


def place_long_orders(caller: Caller, number: int) -> list[str]:
    """Place orders of as many lines as there may be, newest first."""
    products = CatalogueProduct.objects.bulk_create(
        CatalogueProduct(
            product_id=uuid7(), version=1, name=f"P {n}", price="1.00", currency="GBP", active=True
        )
        for n in range(MAX_LINES)
    )
    wanted = lines(*[(product.product_id, 1) for product in products])
    return [decoded(caller.post(PATH, wanted), 201)["id"] for _ in range(number)][::-1]


@pytest.mark.django_db
def test_page_of_long_orders_holds_fewer_and_the_next_goes_on(customer: Caller) -> None:
    """A hundred orders of a thousand lines in one answer took 100 MB of the process."""
    product = make_product()
    short = [decoded(customer.post(PATH, lines((product.product_id, 1))), 201)["id"] for _ in range(2)][::-1]
    long = place_long_orders(customer, 5)

    pages, link = [], f"{PATH}?page_size=100"
    while link:
        page = decoded(customer.get(link))
        assert sum(len(order["lines"]) for order in page["results"]) <= 2 * MAX_LINES
        assert all(len(order["lines"]) in {1, MAX_LINES} for order in page["results"])
        pages.append([order["id"] for order in page["results"]])
        link = page["next"]

    assert [order_id for page in pages for order_id in page] == long + short
    assert [len(page) for page in pages] == [2, 2, 3]


@pytest.mark.django_db
def test_list_names_what_was_short(customer: Caller) -> None:
    product = make_product()
    order = make_order({product.product_id: 2}, user_id=customer.id)
    deliver(router, "orders.stock", [rejected(order.pk, product.product_id)])

    (body,) = decoded(customer.get(PATH))["results"]

    assert body["shortages"][0]["product"] == str(product.product_id)


@pytest.mark.django_db
def test_order_whose_event_would_be_too_large_is_refused_and_nothing_placed(customer: Caller) -> None:
    """An event may have 256 KiB; written to the outbox and refused there, the order would wait until it expires."""
    place_long_orders(customer, 0)
    CatalogueProduct.objects.update(name="🏮" * 200)
    wanted = lines(*[(one, 1) for one in CatalogueProduct.objects.values_list("product_id", flat=True)])

    problem(customer.post(PATH, wanted), 409, "order_too_large")

    assert not Order.objects.exists()
    assert outbox_events() == []


def test_waiting_requests_never_take_every_thread() -> None:
    """Each web process has WEB_THREADS of them."""
    code = "import django; django.setup(); from orders.api import waiting; print(waiting._places._value)"
    found = {
        threads: int(
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "WEB_THREADS": threads, "DJANGO_SETTINGS_MODULE": "orders.settings"},
                capture_output=True,
                check=True,
            ).stdout
        )
        for threads in ("1", "2", "3", "8")
    }

    assert found == {"1": 0, "2": 0, "3": 1, "8": 6}


@pytest.mark.django_db
def test_ids_are_taken_in_capitals_everywhere_and_answered_in_lower_case(
    customer: Caller, staff: Caller
) -> None:
    product = make_product()
    capitals = str(product.product_id).upper()
    placed = customer.post(PATH, lines((capitals, 1)))
    order = decoded(placed, 201)
    path = f"{PATH}{order['id'].upper()}/"

    read = decoded(customer.get(path))
    listed = decoded(staff.get(f"{PATH}?user={str(customer.id).upper()}"))["results"]
    bought = customer.post(f"/api/products/{capitals}/purchase/", {}, Prefer="wait=0")
    cancelled = decoded(customer.post(f"{path}cancel/"))
    refused = problem(customer.post(f"{path}cancel/", {"line": 1}), 400)

    assert placed["Location"] == f"{PATH}{order['id']}/"
    assert read["lines"][0]["product"] == str(product.product_id)
    assert [one["id"] for one in listed] == [order["id"]]
    assert bought.status_code == 202
    assert (cancelled["id"], cancelled["status"]) == (order["id"], "cancelled")
    assert refused["instance"] == f"{PATH}{order['id']}/cancel/"
    assert decoded(customer.get(f"{path}history/"))


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["{{{}}}", "urn:uuid:{}", "no hyphens", "({})"])
def test_other_spellings_of_an_id_are_refused_everywhere(
    customer: Caller, staff: Caller, spelling: str
) -> None:
    order, product = make_order(user_id=customer.id), str(make_product().product_id)

    def respelt(value: object) -> str:
        return str(value).replace("-", "") if spelling == "no hyphens" else spelling.format(value)

    problem(customer.get(f"{PATH}{respelt(order.pk)}/"), 404)
    problem(customer.post(f"/api/products/{respelt(product)}/purchase/", {}), 404)
    problem(customer.post(PATH, lines((respelt(product), 1))), 400)
    problem(staff.get(f"{PATH}?user={respelt(customer.id)}"), 400)
    assert Order.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [b'{"lines": [1]}', b'{"line": null}', b'{"": 1}', b"[]", b"[1]", b'"x"', b"0", b"null", b"false", b"{"],
)
def test_cancel_with_a_body_that_asks_for_anything_is_refused(customer: Caller, body: bytes) -> None:
    order = make_order(user_id=customer.id)
    before = outbox_events()

    answer = customer.post(f"{PATH}{order.pk}/cancel/", raw=body)

    problem(answer, 400)
    order.refresh_from_db()
    assert order.status == Status.PENDING
    assert outbox_events() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((body, "application/json") for body in (b"", b"{}", b" {} ")),
        *((b"", kind) for kind in ("", "text/plain", "application/x-www-form-urlencoded")),
    ],
)
def test_cancel_with_nothing_in_its_body_cancels(customer: Caller, body: bytes, kind: str) -> None:
    order = make_order(user_id=customer.id)

    answer = customer.post(f"{PATH}{order.pk}/cancel/", raw=body, content_type=kind)

    assert decoded(answer)["status"] == "cancelled"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["status", "user", "cursor", "page_size"])
def test_empty_parameter_is_refused_by_name(customer: Caller, name: str) -> None:
    make_order(user_id=customer.id)

    errors = problem(customer.get(f"{PATH}?{name}="), 400, "invalid")["errors"]

    assert [(one["code"], one["detail"].split()[0]) for one in errors] == [("empty_parameter", name)]


@pytest.mark.django_db
def test_empty_key_places_nothing(customer: Caller) -> None:
    product = make_product()
    body = {"lines": [{"product": str(product.product_id), "quantity": 1}]}

    problem(customer.post(PATH, body, Idempotency_Key=""), 400, "invalid_idempotency_key")

    assert not Order.objects.exists()
