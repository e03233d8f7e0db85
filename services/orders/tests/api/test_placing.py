"""Placing an order, as a client meets it."""

from uuid import UUID

import pytest

from orders.models import CatalogueProduct, Order
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.api.calls import PATH, lines, place_long_orders
from tests.factories import make_product


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


@pytest.mark.django_db
def test_order_of_too_large_a_total_is_409_with_a_pointer_and_leaves_nothing(
    customer: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    products = [make_product(price="9999999999.99") for _ in range(101)]
    most = [(product.product_id, 1_000_000) for product in products]

    body = problem(customer.post(PATH, lines(*most)), 409, "total_too_large", "/lines")

    assert body["maximum"] == "999999999999999999.99"
    assert not Order.objects.exists()
    assert not outbox_events()
    assert "unchecked" not in caplog.text


@pytest.mark.django_db
def test_order_of_the_largest_total_is_placed(customer: Caller) -> None:
    products = [make_product(price="9999999999.99") for _ in range(100)]

    answer = customer.post(PATH, lines(*[(product.product_id, 1_000_000) for product in products]))

    assert decoded(answer, 201)["total"] == "999999999999000000.00"
    (event,) = outbox_events()
    assert event["data"]["total"] == "999999999999000000.00"


@pytest.mark.django_db
def test_order_whose_event_would_be_too_large_is_refused_and_nothing_placed(
    customer: Caller,
) -> None:
    """An event may have 256 KiB.

    Written to the outbox and refused there, the order would wait until it expires.
    """
    place_long_orders(customer, 0)
    CatalogueProduct.objects.update(name="🏮" * 200)
    wanted = lines(
        *[
            (product_id, 1)
            for product_id in CatalogueProduct.objects.values_list("product_id", flat=True)
        ]
    )

    problem(customer.post(PATH, wanted), 409, "order_too_large")

    assert not Order.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_ids_are_uuid_version_7(customer: Caller) -> None:
    product = make_product()

    body = decoded(customer.post(PATH, lines((product.product_id, 1))), 201)

    assert UUID(body["id"]).version == 7
