"""Through the gateway nobody waits in `web`: it sends the request on to `live`, and the answer is
byte for byte what a thread of its own would have waited for.
"""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone

from orders.handlers import router
from orders.models import Order, Status
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver
from tests.api.calls import PATH, lines
from tests.factories import make_order, make_product, rejected, reserved

pytestmark = pytest.mark.django_db
GATEWAY = {"X_Waits_Elsewhere": "live"}


def sent_on(answer: HttpResponse) -> str:
    """Return the address that `web` sends the request on to, as `live` is asked for it."""
    place = answer["X-Accel-Redirect"]
    assert place.startswith("/__live/internal/outcomes/")
    return place.removeprefix("/__live")


def settle(status: str, order: Order) -> None:
    product_id = order.lines.get().product_id
    if status == Status.CONFIRMED:
        deliver(router, "orders.stock", [reserved(order.pk)])
    elif status == Status.REJECTED:
        deliver(router, "orders.stock", [rejected(order.pk, product_id, available=0)])
    elif status != Status.PENDING:
        Order.objects.filter(pk=order.pk).update(status=status, settled_at=timezone.now())


def told(answer: HttpResponse) -> tuple[int, dict[str, Any], Any]:
    """Return what a client sees of an answer, but for its request id."""
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    headers.pop("X-Accel-Redirect", None)
    body = decoded(answer, answer.status_code)
    return answer.status_code, headers, {**body, "request_id": "", "instance": ""}


STATUSES = ["pending", "confirmed", "rejected", "cancelled", "expired"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "k"}])
@pytest.mark.parametrize("wait", ["wait=10", None])
def test_outcome_is_what_the_same_key_gets_afterwards(
    customer: Caller, status: str, key: dict[str, str], wait: str | None
) -> None:
    path = f"/api/products/{make_product().product_id}/purchase/"
    headers = key | ({"Prefer": wait} if wait else {})
    first = customer.post(path, {}, **headers, **GATEWAY)
    order = Order.objects.get()
    settle(status, order)

    answer = customer.get(sent_on(first), **headers)

    expected = {"pending": 202, "confirmed": 200}.get(status, 409)
    assert answer.status_code == expected
    assert answer["Location"] == f"{PATH}{order.pk}/"
    assert answer.get("Preference-Applied") == wait
    if key:
        again = customer.post(path, {}, **key, Prefer="wait=0")
        assert again["Idempotency-Replayed"] == "true"
        if status != Status.CANCELLED:  # a repeat is told of no cancel
            code, _, body = told(answer)
            assert told(again)[0::2] == (code, body)


@pytest.mark.parametrize("status", STATUSES)
def test_order_handed_over_is_answered_like_one_that_was_not(customer: Caller, status: str) -> None:
    """Byte for byte, but for ids and times."""
    body = lines((make_product().product_id, 1))
    first = customer.post(PATH, body, Prefer="wait=10", **GATEWAY)
    settle(status, Order.objects.get())
    direct = customer.get(f"{PATH}{decoded(first, 202)['id']}/").content

    answer = customer.get(sent_on(first), Prefer="wait=10")

    if status in {Status.PENDING, Status.CONFIRMED}:
        assert answer.content == direct
        assert answer["Preference-Applied"] == "wait=10"
    else:
        code = "out_of_stock" if status == Status.REJECTED else "order_ended"
        assert problem(answer, 409, code)["order"]["status"] == status


def test_repeat_after_a_cancel_gets_the_first_answer(customer: Caller) -> None:
    body = lines((make_product().product_id, 1))
    decoded(customer.post(PATH, body, Idempotency_Key="k", Prefer="wait=0"), 202)
    again = customer.post(PATH, body, Idempotency_Key="k", Prefer="wait=5", **GATEWAY)
    settle("cancelled", Order.objects.get())

    answer = customer.get(sent_on(again), Idempotency_Key="k", Prefer="wait=5")

    assert decoded(answer, 202)["status"] == "pending"
    assert answer["Idempotency-Replayed"] == "true"


def test_who_does_not_wait_is_not_sent_on(customer: Caller) -> None:
    product = make_product()
    body = lines((product.product_id, 1))
    order = make_order(user_id=customer.id)
    settle("confirmed", order)

    for answer in (
        customer.post(PATH, body, **GATEWAY),
        customer.post(PATH, body, Prefer="wait=0", **GATEWAY),
        customer.post(
            f"/api/products/{product.product_id}/purchase/", {}, Prefer="wait=0", **GATEWAY
        ),
        customer.get(f"{PATH}{order.pk}/?wait=10", **GATEWAY),
        customer.get(f"{PATH}{order.pk}/", **GATEWAY),
        customer.post(PATH, {"lines": []}, Prefer="wait=10", **GATEWAY),
    ):
        assert "X-Accel-Redirect" not in answer


def test_pending_order_is_waited_for(customer: Caller, stranger: Caller) -> None:
    order = make_order(user_id=customer.id)
    path = f"{PATH}{order.pk}/?wait=10"
    problem(stranger.get(path, **GATEWAY), 404)
    place = sent_on(customer.get(path, **GATEWAY))
    settle("confirmed", order)

    answer = customer.get(place)

    assert decoded(answer)["status"] == "confirmed"
    assert answer["ETag"] == '"2"'
    problem(stranger.get(place), 404)
    assert urlsplit(place).query == "operation=read_order&seconds=10"


@pytest.mark.parametrize("wait", ["", "-1", "1.5", "x", "\u0661", "1" * 10, "1&wait=x"])
def test_wait_that_is_no_number_is_400(customer: Caller, wait: str) -> None:
    order = make_order(user_id=customer.id)

    problem(customer.get(f"{PATH}{order.pk}/?wait={wait}"), 400)


def test_without_the_gateway_a_read_waits_in_its_thread(customer: Caller) -> None:
    order = make_order(user_id=customer.id)

    assert decoded(customer.get(f"{PATH}{order.pk}/?wait=1"))["status"] == "pending"


@pytest.mark.parametrize("query", ["", "operation=x", "operation=read_order&other=1"])
def test_outcome_of_nothing_is_400(customer: Caller, query: str) -> None:
    order = make_order(user_id=customer.id)

    problem(customer.get(f"/internal/outcomes/{order.pk}/?{query}"), 400)


def test_nobody_is_told_an_outcome(nobody: Caller, customer: Caller) -> None:
    order = make_order(user_id=customer.id)

    problem(nobody.get(f"/internal/outcomes/{order.pk}/?operation=read_order"), 401)
