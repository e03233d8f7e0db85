"""Lists of orders: who sees what, pages, filters."""

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import MAX_LINES, Status
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from tests.api.calls import PATH, lines, place_long_orders
from tests.factories import make_order, make_product, rejected


@pytest.mark.django_db
def test_staff_read_cancel_and_filter_everybodys(customer: Caller, staff: Caller) -> None:
    order, _other = make_order(user_id=customer.id), make_order()

    found = decoded(staff.get(f"{PATH}?user={customer.id}"))["results"]
    cancelled = decoded(staff.post(f"{PATH}{order.pk}/cancel/", {"reason": "Sold out."}))

    assert [order["id"] for order in found] == [str(order.pk)]
    assert len(decoded(staff.get(PATH))["results"]) == 2
    assert cancelled["status"] == "cancelled"
    assert outbox_events("orders.order_cancelled.v1")[0]["data"]["reason"] == "staff"


@pytest.mark.django_db
def test_list_pages_newest_first_without_gaps(customer: Caller) -> None:
    product = make_product()
    made = [str(make_order({product.product_id: 1}, user_id=customer.id).pk) for _ in range(7)]

    seen, link = [], f"{PATH}?page_size=3"
    while link:
        page = decoded(customer.get(link))
        seen += [order["id"] for order in page["results"]]
        link = page["next"]

    assert seen == made[::-1]


@pytest.mark.django_db
def test_list_filters_by_status(customer: Caller) -> None:
    make_order(user_id=customer.id)
    gone = make_order(user_id=customer.id, status=Status.CANCELLED, settled_at=timezone.now())

    found = decoded(customer.get(f"{PATH}?status=cancelled"))["results"]

    assert [order["id"] for order in found] == [str(gone.pk)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "page_size=0",
        "page_size=101",
        "page_size=x",
        "cursor=x",
        "sort=total",
        "status=a&status=b",
        "user=x",
        "status=%00",
        "cursor=" + "A" * 3000,
    ],
)
def test_bad_query_is_400(customer: Caller, query: str) -> None:
    problem(customer.get(f"{PATH}?{query}"), 400)


@pytest.mark.django_db
def test_customers_cannot_ask_for_somebody(customer: Caller) -> None:
    problem(customer.get(f"{PATH}?user={uuid7()}"), 400)


@pytest.mark.django_db
def test_page_of_long_orders_holds_fewer_and_the_next_goes_on(customer: Caller) -> None:
    """A hundred orders of a thousand lines in one answer took 100 MB of the process."""
    product = make_product()
    short = [
        decoded(customer.post(PATH, lines((product.product_id, 1))), 201)["id"] for _ in range(2)
    ][::-1]
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
@pytest.mark.parametrize("name", ["status", "user", "cursor", "page_size"])
def test_empty_parameter_is_refused_by_name(customer: Caller, name: str) -> None:
    make_order(user_id=customer.id)

    errors = problem(customer.get(f"{PATH}?{name}="), 400, "invalid")["errors"]

    assert [(error["code"], error["detail"].split()[0]) for error in errors] == [
        ("empty_parameter", name)
    ]
