"""The same idempotency key again: the first answer, and no second effect."""

from typing import Any

import pytest

from orders.handlers import router
from orders.models import Order
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.races import at_once
from tests.api.calls import PATH, decide, lines
from tests.factories import make_product, rejected, reserved


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
def test_undecided_answer_repeated_tells_the_outcome_and_keeps_it(
    customer: Caller, prefer: str
) -> None:
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
    first = customer.post(
        path, {}, Idempotency_Key="k", Prefer="wait=1" if wait_first else "wait=0"
    )
    decoded(customer.post(f"{first['Location']}cancel/"))

    again = customer.post(path, {}, Idempotency_Key="k", Prefer="wait=0")

    assert (again.status_code, again.content) == (202, first.content)
    assert again["Location"] == first["Location"]


@pytest.mark.django_db(transaction=True)
def test_repeats_at_once_get_one_answer(customer: Caller) -> None:
    body = lines((make_product().product_id, 1))

    def ask() -> Any:
        return customer.post(PATH, body, Idempotency_Key="k", Prefer="wait=10")

    *answers, _none = at_once(ask, ask, ask, decide(lambda order: reserved(order.pk)).join)

    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, answers[0].content)
    }
    assert decoded(answers[0], 201)["status"] == "confirmed"


@pytest.mark.django_db(transaction=True)
def test_one_key_many_times_at_once_places_one_order(customer: Caller) -> None:
    body = lines((make_product().product_id, 1))

    answers = at_once(*[lambda: customer.post(PATH, body, Idempotency_Key="k")] * 12)

    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, answers[0].content)
    }
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert Order.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_keys_of_two_callers_do_not_meet(customer: Caller, stranger: Caller) -> None:
    body = lines((make_product().product_id, 1))

    answers = [caller.post(PATH, body, Idempotency_Key="k") for caller in (customer, stranger)]

    assert [decoded(answer, 201)["user"] for answer in answers] == [
        str(customer.id),
        str(stranger.id),
    ]


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
def test_empty_key_places_nothing(customer: Caller) -> None:
    product = make_product()
    body = {"lines": [{"product": str(product.product_id), "quantity": 1}]}

    problem(customer.post(PATH, body, Idempotency_Key=""), 400, "invalid_idempotency_key")

    assert not Order.objects.exists()
