"""Reviews: of buyers only, one each; a product's average is always that of what is shown."""

from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Avg, Count
from uuid_utils.compat import uuid7

from products.errors import AlreadyReviewed, NotABuyer
from products.handlers import router
from products.models import Product, ProductSales, Purchase, Review
from products.services.products import delete_product
from products.services.reviews import (
    delete_review,
    edit_review,
    hide_review,
    restore_review,
    write_review,
)
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.races import at_once
from tests.factories import confirmed, make_product

SALES = "products.sales"
PUBLISHED = "products.review_published.v1"
STAFF = uuid7()


def path_of(product: Product) -> str:
    return f"/api/products/{product.pk}/reviews/"


def make_buyer(product: Product, customer_id: UUID | None = None) -> UUID:
    customer_id = customer_id or uuid7()
    Purchase.objects.create(customer_id=customer_id, product=product)
    return customer_id


def make_review(product: Product, rating: int = 5, **fields: Any) -> Review:
    buyer = make_buyer(product, fields.pop("customer_id", None))
    return write_review(product_id=product.pk, customer_id=buyer, rating=rating, **fields)


def assert_counted(product: Product) -> None:
    """The product's numbers are those of the reviews that are shown."""
    product.refresh_from_db()
    shown = Review.objects.filter(product=product, hidden_at=None)
    found = shown.aggregate(number=Count("id"), average=Avg("rating"))
    expected = (found["number"], round(Decimal(found["average"] or 0), 2))
    assert (product.rating_count, product.rating_average) == expected


@pytest.mark.django_db(transaction=True)
def test_confirmed_order_makes_buyers_and_counts_units_once() -> None:
    lamp, pot, buyer = make_product(), make_product(), uuid7()
    first, second = confirmed({lamp.pk: 2, pot.pk: 1}, buyer), confirmed({lamp.pk: 3}, buyer)

    deliver(router, SALES, [first, second], times=2)

    assert Purchase.objects.filter(customer_id=buyer).count() == 2
    units = dict(ProductSales.objects.values_list("product_id", "units"))
    assert units == {lamp.pk: 5, pot.pk: 1}


@pytest.mark.django_db(transaction=True)
def test_sale_of_an_unknown_product_spoils_no_other() -> None:
    lamp, buyer = make_product(), uuid7()

    deliver(router, SALES, [confirmed({uuid7(): 1, lamp.pk: 1}, buyer)], times=2)

    assert list(Purchase.objects.values_list("product_id", flat=True)) == [lamp.pk]


@pytest.mark.django_db(transaction=True)
def test_sales_of_the_same_products_at_once_are_all_counted() -> None:
    products = [make_product().pk for _ in range(5)]

    def sell() -> None:
        for _ in range(5):
            deliver(router, SALES, [confirmed(dict.fromkeys(products, 1), uuid7())], times=1)
            products.reverse()

    assert at_once(*[sell] * 4) == [None] * 4
    assert set(ProductSales.objects.values_list("units", flat=True)) == {20}


@pytest.mark.django_db
def test_buyer_writes_a_review_that_everybody_reads(customer: Caller, nobody: Caller) -> None:
    product = make_product()
    make_buyer(product, customer.id)

    answer = customer.post(path_of(product), {"rating": 4, "title": "Bright", "comment": "So so."})

    body = decoded(answer, 201)
    assert answer["Location"] == f"/api/reviews/{body['id']}/"
    assert decoded(nobody.get(path_of(product)))["results"] == [body]
    assert decoded(nobody.get(f"/api/reviews/{body['id']}/")) == body
    read = decoded(nobody.get(f"/api/products/{product.pk}/"))
    assert (read["rating_average"], read["rating_count"]) == ("4.00", 1)
    (event,) = outbox_events(PUBLISHED)
    assert event["data"]["customer_id"] == str(customer.id)


@pytest.mark.django_db
def test_who_did_not_buy_it_reviews_nothing(customer: Caller, staff: Caller) -> None:
    product, other = make_product(), make_product()
    make_buyer(other, customer.id)

    for caller in (customer, staff):
        problem(caller.post(path_of(product), {"rating": 5}), 403, "not_a_buyer")

    assert Review.objects.count() == 0
    assert outbox_events(PUBLISHED) == []


@pytest.mark.django_db
def test_nobody_without_a_token_reviews(nobody: Caller) -> None:
    problem(nobody.post(path_of(make_product()), {"rating": 5}), 401)


@pytest.mark.django_db
def test_second_review_is_refused(customer: Caller) -> None:
    product = make_product()
    make_review(product, 5, customer_id=customer.id)

    problem(customer.post(path_of(product), {"rating": 1}), 409, "already_reviewed")

    assert_counted(product)
    assert product.rating_average == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {}, {"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": "5"}, {"rating": True},
        {"rating": None}, {"rating": 5, "title": "x" * 121}, {"rating": 5, "comment": "x" * 5001},
        {"rating": 5, "stars": 5}, {"rating": 5, "comment": None},
    ],
)  # fmt: skip
def test_bad_review_is_refused(customer: Caller, body: dict[str, Any]) -> None:
    product = make_product()
    make_buyer(product, customer.id)

    problem(customer.post(path_of(product), body), 400, "invalid")

    assert Review.objects.count() == 0


@pytest.mark.django_db
def test_hidden_review_counts_for_nobody(
    staff: Caller, customer: Caller, stranger: Caller, nobody: Caller
) -> None:
    product = make_product()
    review = make_review(product, 1, customer_id=customer.id)
    make_review(product, 5)

    hidden = decoded(staff.post(f"/api/reviews/{review.pk}/hide/"))
    staff.post(f"/api/reviews/{review.pk}/hide/")

    assert hidden["is_hidden"] is True
    assert_counted(product)
    assert (product.rating_count, product.rating_average) == (1, 5)
    seen = {
        caller: len(decoded(caller.get(path_of(product)))["results"])
        for caller in (nobody, stranger, customer, staff)
    }
    assert list(seen.values()) == [1, 1, 2, 2]
    problem(nobody.get(f"/api/reviews/{review.pk}/"), 404)
    decoded(staff.post(f"/api/reviews/{review.pk}/restore/"))
    assert_counted(product)
    assert product.rating_average == 3
    assert len(outbox_events(PUBLISHED)) == 3


@pytest.mark.django_db
def test_only_staff_hide(customer: Caller, nobody: Caller) -> None:
    review = make_review(make_product(), customer_id=customer.id)

    for verb in ("hide", "restore"):
        problem(customer.post(f"/api/reviews/{review.pk}/{verb}/"), 403)
        problem(nobody.post(f"/api/reviews/{review.pk}/{verb}/"), 401)
    review.refresh_from_db()
    assert review.hidden_at is None


@pytest.mark.django_db
def test_review_is_changed_by_its_customer_alone(
    customer: Caller, stranger: Caller, staff: Caller
) -> None:
    product = make_product()
    review = make_review(product, 2, customer_id=customer.id)
    path = f"/api/reviews/{review.pk}/"

    for caller in (stranger, staff):
        problem(caller.call("PATCH", path, {"rating": 5}), 404)
        problem(caller.call("DELETE", path), 404)
    body = decoded(customer.call("PATCH", path, {"rating": 3}))

    assert (body["rating"], body["version"]) == (3, 2)
    assert_counted(product)
    assert customer.call("DELETE", path).status_code == 204
    assert_counted(product)
    assert product.rating_count == 0
    decoded(customer.post(path_of(product), {"rating": 4}), 201)


@pytest.mark.django_db
def test_reviews_of_a_product_that_is_not_shown_are_not_found(
    nobody: Caller, customer: Caller
) -> None:
    product = make_product(stock=0, active=False)
    make_buyer(product, customer.id)

    problem(nobody.get(path_of(product)), 404)
    problem(customer.post(path_of(product), {"rating": 5}), 404)
    problem(nobody.get(f"/api/products/{uuid7()}/reviews/"), 404)


@pytest.mark.django_db
def test_review_of_a_deleted_product_can_be_taken_back() -> None:
    product = make_product()
    review = make_review(product)
    delete_product(product_id=product.pk)

    delete_review(**own(review))

    assert Review.objects.count() == 0


@pytest.mark.django_db
def test_reviews_are_listed_newest_first_in_pages(nobody: Caller) -> None:
    product = make_product()
    made = [str(make_review(product).pk) for _ in range(5)]

    seen, url = [], f"{path_of(product)}?page_size=2"
    while url:
        page = decoded(nobody.get(url))
        seen += [each["id"] for each in page["results"]]
        url = page["next"]

    assert seen == made[::-1]


@pytest.mark.django_db
def test_products_are_listed_by_rating(nobody: Caller) -> None:
    for number, rating in enumerate((3, 5, 1)):
        make_review(make_product(slug=f"rated-{rating}", name=f"{number}"), rating)
    make_product(slug="unrated")

    listed = decoded(nobody.get("/api/products/?ordering=-rating_average"))["results"]

    assert [each["slug"] for each in listed] == ["rated-5", "rated-3", "rated-1", "unrated"]


@pytest.mark.django_db(transaction=True)
def test_average_is_right_whatever_happens_at_once() -> None:
    product = make_product()
    old = [make_review(product, 1 + number % 5) for number in range(6)]
    buyers = [make_buyer(product) for _ in range(6)]

    results = at_once(
        lambda: write_all(product, buyers),
        lambda: write_all(product, buyers),
        lambda: [hide_and_restore(review.pk) for review in old[:3]],
        lambda: [edit_review(**own(review), changes={"rating": 2}) for review in old[:4]],
        lambda: [delete_review(**own(review)) for review in old[4:]],
    )

    assert not [each for each in results if isinstance(each, BaseException)]
    assert Review.objects.filter(product=product).count() == 10
    assert_counted(product)


def own(review: Review) -> dict[str, UUID]:
    return {"review_id": review.pk, "customer_id": review.customer_id}


def write_all(product: Product, buyers: list[UUID]) -> None:
    for number, buyer in enumerate(buyers):
        with suppress(AlreadyReviewed):
            write_review(product_id=product.pk, customer_id=buyer, rating=1 + number % 5)


def hide_and_restore(review_id: UUID) -> None:
    hide_review(review_id=review_id, by=STAFF)
    restore_review(review_id=review_id)


@pytest.mark.django_db(transaction=True)
def test_one_customer_many_times_at_once_has_one_review() -> None:
    product = make_product()
    buyer = make_buyer(product)

    def write() -> str:
        try:
            write_review(product_id=product.pk, customer_id=buyer, rating=5)
        except AlreadyReviewed:
            return "already"
        return "written"

    assert sorted(at_once(*[write] * 8)) == ["already"] * 7 + ["written"]
    assert_counted(product)


@pytest.mark.django_db
def test_refused_review_leaves_nothing() -> None:
    product = make_product()

    with pytest.raises(NotABuyer):
        write_review(product_id=product.pk, customer_id=uuid7(), rating=5)

    assert (Review.objects.count(), outbox_events(PUBLISHED)) == (0, [])
    assert_counted(product)
