"""What is popular, and what goes with what."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from products.models import (
    JobPosition,
    Product,
    ProductSales,
    ProductViews,
    Purchase,
    RelatedProduct,
)
from products.services.categories import create_category
from products.services.products import delete_product, edit_product
from products.services.recommendations import popularity, related
from products.services.recommendations.popularity import ViewCounter
from products.services.reviews import write_review
from servicekit.operations import purge
from servicekit.testing.client import Caller, decoded, problem
from tests.factories import make_product

PATH = "/api/products/"


@pytest.fixture(autouse=True)
def views(monkeypatch: pytest.MonkeyPatch) -> ViewCounter:
    """A count of the test's own, which writes nothing until it is told that it is time."""
    counter = ViewCounter()
    counter.flushed_at = float("inf")
    monkeypatch.setattr(popularity, "views", counter)
    return counter


def sold(product: Product, units: int, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ProductSales.objects.create(product=product, day=day, units=units)


def seen(product: Product, views: int, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ProductViews.objects.create(product=product, day=day, views=views)


def bought(*products: Product, by: UUID | None = None) -> None:
    customer = by or uuid4()
    for product in products:
        Purchase.objects.create(customer_id=customer, product=product)


def count() -> dict[str, int]:
    popularity.count_popularity(seconds=30)
    return dict(Product.objects.filter(popularity__gt=0).values_list("name", "popularity"))


@pytest.mark.django_db
def test_popularity_is_of_what_was_sold_and_seen_in_thirty_days() -> None:
    first, second, third = (make_product(name=name) for name in "abc")
    sold(first, 3)
    sold(first, 2, days_ago=29)
    sold(first, 100, days_ago=30)
    seen(second, 7)
    seen(second, 4, days_ago=29)
    seen(second, 100, days_ago=30)

    assert count() == {"a": 50, "b": 11}
    assert third.popularity == 0
    versions = set(Product.objects.values_list("version", flat=True))
    assert versions == {1}


@pytest.mark.django_db
def test_popularity_ends_with_its_window() -> None:
    product = make_product(name="a")
    sold(product, 3)
    assert count() == {"a": 30}

    ProductSales.objects.update(day=timezone.now().date() - timedelta(days=30))

    assert count() == {}


@pytest.mark.django_db
def test_popularity_has_a_largest_number() -> None:
    sold(make_product(name="a"), 10**15)

    assert count() == {"a": 2**31 - 1}


@pytest.mark.django_db
def test_count_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity, "AT_ONCE", 2)
    for number in range(5):
        sold(make_product(name=str(number)), 1)

    looked_at = [popularity.count_popularity(seconds=0) for _ in range(4)]

    # The last run finds the end; the next begins anew.
    assert looked_at == [2, 2, 1, 0]
    assert Product.objects.filter(popularity=10).count() == 5
    assert JobPosition.objects.get().after == UUID(int=0)


@pytest.mark.django_db
def test_popular_lists_what_was_sold_and_seen_most(nobody: Caller) -> None:
    names = ["a", "b", "c", "d"]
    for number, name in enumerate(names):
        seen(make_product(name=name, price=Decimal(number + 1)), 10 - number)
    Product.objects.filter(name="a").update(active=False)
    count()

    found = decoded(nobody.get(f"{PATH}popular/?page_size=2"))
    rest = decoded(nobody.get(found["next"]))
    dear = decoded(nobody.get(f"{PATH}popular/?min_price=4.00&language=de"))
    listed = decoded(nobody.get(f"{PATH}?ordering=-popularity"))

    assert [each["name"] for each in found["results"] + rest["results"]] == ["b", "c", "d"]
    assert [each["name"] for each in dear["results"]] == ["d"]
    assert [each["name"] for each in listed["results"]] == ["b", "c", "d"]
    problem(nobody.get(f"{PATH}popular/?ordering=price"), 400)


@pytest.mark.django_db
def test_views_are_written_together_and_staff_are_not_counted(
    views: ViewCounter, nobody: Caller, customer: Caller, staff: Caller
) -> None:
    first, second = make_product(), make_product()
    path = f"{PATH}{first.pk}/"

    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            nobody.get(path)
        tag = customer.get(path)["ETag"]
        assert customer.get(path, If_None_Match=tag).status_code == 304
        staff.get(path)
        nobody.get(f"{PATH}{uuid7()}/")
    assert not ProductViews.objects.exists()
    assert not [each for each in queries if "product_views" in each["sql"]]

    views.flushed_at = float("-inf")
    nobody.get(f"{PATH}{second.pk}/")

    counted = dict(ProductViews.objects.values_list("product_id", "views"))
    assert counted == {first.pk: 5, second.pk: 1}
    views.flushed_at = float("-inf")
    nobody.get(path)
    assert ProductViews.objects.get(product=first).views == 6


@pytest.mark.django_db
def test_views_of_what_is_no_product_are_left_out() -> None:
    product = make_product()

    popularity.record_views({uuid7(): 3, product.pk: 2})

    assert [(each.product_id, each.views) for each in ProductViews.objects.all()] == [
        (product.pk, 2)
    ]


@pytest.mark.django_db(transaction=True)
def test_reader_gets_the_product_whatever_becomes_of_the_count(
    views: ViewCounter, nobody: Caller
) -> None:
    product = make_product()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE product_views RENAME TO product_views_away")
    views.flushed_at = float("-inf")
    try:
        answer = nobody.get(f"{PATH}{product.pk}/")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE product_views_away RENAME TO product_views")

    assert decoded(answer)["id"] == str(product.pk)


@pytest.mark.django_db
def test_views_that_count_no_more_are_purged() -> None:
    product = make_product()
    for days_ago in (0, 29, 33):
        seen(product, 1, days_ago=days_ago)

    assert not [table.error for table in purge.run() if table.error]

    assert ProductViews.objects.count() == 2


@pytest.mark.django_db
def test_related_is_what_two_customers_bought_as_well(nobody: Caller) -> None:
    lantern, candle, chair, table = (make_product(name=n) for n in ("L", "candle", "chair", "t"))
    bought(lantern, candle, chair)
    bought(lantern, candle, table)
    bought(lantern, candle, chair)
    bought(table)

    related.relate_products(seconds=30)

    found = decoded(nobody.get(f"{PATH}{lantern.pk}/related/"))["results"]
    assert [each["name"] for each in found] == ["candle", "chair"]
    assert RelatedProduct.objects.get(product=lantern, other=candle).customers == 3
    assert decoded(nobody.get(f"{PATH}{table.pk}/related/"))["results"] == []


@pytest.mark.django_db
def test_related_follows_what_is_bought_and_sold_no_more(nobody: Caller) -> None:
    lantern, candle, chair = (make_product(name=name) for name in ("L", "candle", "chair"))
    for _ in range(2):
        bought(lantern, candle, chair)
    related.relate_products(seconds=30)
    edit_product(product_id=candle.pk, changes={"active": False}, even_with_stock=True)

    at_once = decoded(nobody.get(f"{PATH}{lantern.pk}/related/"))["results"]
    for _ in range(3):
        related.relate_products(seconds=30)

    assert [each["name"] for each in at_once] == ["chair"]
    assert not RelatedProduct.objects.filter(other=candle).exists()
    assert RelatedProduct.objects.filter(product=lantern, other=chair).exists()


@pytest.mark.django_db
def test_related_of_what_everybody_buys_is_of_its_latest_buyers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(related, "BUYERS", 2)
    monkeypatch.setattr(related, "PURCHASES_OF_EACH", 2)
    lantern, old, new = (make_product(name=name) for name in ("L", "old", "new"))
    for _ in range(5):
        bought(old, lantern)
    for _ in range(2):
        bought(lantern, new)

    related.relate_products(seconds=30)

    assert [each.other_id for each in RelatedProduct.objects.filter(product=lantern)] == [new.pk]


@pytest.mark.django_db
def test_related_is_filled_up_from_the_category(nobody: Caller) -> None:
    lamps = create_category(slug="lamps", name="Lamps")
    lantern, other, candle = (make_product(name=n, category=lamps) for n in ("L", "old", "candle"))
    make_product(name="elsewhere")
    gone = make_product(name="gone", category=lamps)
    delete_product(product_id=gone.pk)
    for _ in range(2):
        bought(lantern, other)
    related.relate_products(seconds=30)

    found = decoded(nobody.get(f"{PATH}{lantern.pk}/related/"))["results"]
    detail = decoded(nobody.get(f"{PATH}{lantern.pk}/"))

    assert [each["name"] for each in found] == ["old", "candle"]
    assert detail["related"] == found
    assert candle.pk != lantern.pk


@pytest.mark.django_db
def test_related_is_in_the_language_that_is_asked_for(nobody: Caller) -> None:
    lamps = create_category(slug="lamps", name="Lamps")
    lantern = make_product(category=lamps)
    make_product(name="Candle", category=lamps, translations={"de": {"name": "Kerze"}})

    found = decoded(nobody.get(f"{PATH}{lantern.pk}/related/?language=de"))["results"]

    assert [each["name"] for each in found] == ["Kerze"]
    problem(nobody.get(f"{PATH}{lantern.pk}/related/?page_size=5"), 400)
    problem(nobody.get(f"{PATH}{uuid7()}/related/"), 404)


@pytest.mark.django_db
def test_detail_has_the_latest_reviews(nobody: Caller, staff: Caller) -> None:
    product = make_product()
    path = f"{PATH}{product.pk}/"
    assert decoded(nobody.get(path))["latest_reviews"] == []
    for rating in (1, 2, 3, 4):
        customer = uuid4()
        bought(product, by=customer)
        review = write_review(product_id=product.pk, customer_id=customer, rating=rating)
    tag = nobody.get(path)["ETag"]

    assert [each["rating"] for each in decoded(nobody.get(path))["latest_reviews"]] == [4, 3, 2]
    staff.post(f"/api/reviews/{review.pk}/hide/")
    assert [each["rating"] for each in decoded(nobody.get(path))["latest_reviews"]] == [3, 2, 1]
    assert nobody.get(path)["ETag"] != tag


@pytest.mark.django_db
def test_detail_is_a_constant_number_of_queries(
    nobody: Caller, django_assert_num_queries: Any
) -> None:
    lamps = create_category(slug="lamps", name="Lamps")
    products = [make_product(category=lamps) for _ in range(15)]
    for _ in range(2):
        bought(*products)
    related.relate_products(seconds=30)
    for product in products[:2]:
        customer = uuid4()
        bought(product, by=customer)
        write_review(product_id=product.pk, customer_id=customer, rating=5)

    # Its versions, the product, its category's path, its reviews, what goes with it (ids and rows).
    with django_assert_num_queries(6):
        body = decoded(nobody.get(f"{PATH}{products[0].pk}/"))
    # What was made is kept by the versions.
    with django_assert_num_queries(1):
        assert decoded(nobody.get(f"{PATH}{products[0].pk}/")) == body
    assert (len(body["related"]), len(body["latest_reviews"])) == (4, 1)
