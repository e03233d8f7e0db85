"""Lists of orders: who sees what, pages, filters."""

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
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
        "ordering=-total",
        "ordering=user__password",
        "number=1",
        "product=lantern",
        "placed_from=2026-13-01T00:00:00Z",
        "placed_from=0000-01-01T00:00:00Z",
        "placed_before=99999-01-01T00:00:00Z",
        "placed_before=2026-01-01T00:00:60Z",
        "placed_before=2026-01-01T00:00:00%2B99:00",
        "placed_from=2026-01-02T00:00:00Z&placed_before=2026-01-01T00:00:00Z",
    ],
)
def test_bad_query_is_400(customer: Caller, query: str) -> None:
    problem(customer.get(f"{PATH}?{query}"), 400)


@pytest.mark.django_db
def test_list_filters_by_product_and_time_and_begins_at_either_end(customer: Caller) -> None:
    products = [make_product().product_id for _ in range(3)]
    made = [
        decoded(customer.post(PATH, lines((product, 1), (products[0], 1))), 201)
        for product in products
    ]

    def found(**query: str) -> list[str]:
        answer = customer.get(f"{PATH}?{urlencode(query)}")
        return [order["id"] for order in decoded(answer)["results"]]

    ids = [order["id"] for order in made]
    assert found(ordering="id") == ids
    assert found(ordering="-id") == found() == ids[::-1]
    assert found(product=str(products[1])) == [ids[1]]
    assert found(product=str(products[0]), ordering="id") == ids
    assert found(placed_from=made[1]["placed_at"], ordering="id") == ids[1:]
    assert found(placed_before=made[1]["placed_at"]) == [ids[0]]
    assert found(placed_from="0001-01-01T00:00:00Z", placed_before="9999-12-31T23:59:59Z") != []
    assert found(placed_from=made[1]["placed_at"], placed_before=made[2]["placed_at"]) == [ids[1]]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 12])
def test_list_is_so_many_statements_however_long(customer: Caller, count: int) -> None:
    product = make_product()
    for _ in range(count):
        make_order({product.product_id: 1}, user_id=customer.id)

    with CaptureQueriesContext(connection) as statements:
        assert len(decoded(customer.get(PATH))["results"]) == count

    reads = [each for each in statements if "order" in each["sql"]]
    assert len(reads) == 2


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
@pytest.mark.parametrize(
    "name",
    ["status", "user", "cursor", "page_size", "number", "product", "placed_from", "ordering"],
)
def test_empty_parameter_is_refused_by_name(customer: Caller, name: str) -> None:
    make_order(user_id=customer.id)

    errors = problem(customer.get(f"{PATH}?{name}="), 400, "invalid")["errors"]

    assert [(error["code"], error["detail"].split()[0]) for error in errors] == [
        ("empty_parameter", name)
    ]
