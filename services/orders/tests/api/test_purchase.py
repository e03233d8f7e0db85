"""Buying a product in one line."""

import pytest
from uuid_utils.compat import uuid7

from orders.models import Order
from servicekit.testing.client import Caller, decoded, problem
from tests.api.calls import decide
from tests.factories import make_product, rejected, reserved


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
