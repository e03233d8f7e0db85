"""The fast lane of a whole list and of a product: byte by byte what the plain code answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from uuid_utils.compat import uuid7

from products.api.hot_reads import rows_kept
from products.api.product_details import detail, tag
from products.api.product_viewsets import ProductViewSet
from products.api.wording import language_of
from products.models import Category, Product, ProductImage, Purchase, RelatedProduct, Review
from products.services.categories import create_category, edit_category
from products.services.products import delete_product, edit_product
from products.services.reviews import edit_review, hide_review, write_review
from servicekit.http.shared_reads import tagged_read
from servicekit.testing.client import Caller, decoded, problem
from tests.factories import make_product

LIST = "/api/products/"
TEXT = 'a "b" \\ / \b\x1f\x7f <é> \u2028 🏮'
ORDERINGS = [each.name for each in ProductViewSet.orderings if each.name != "-relevance"]
PAGES = [
    "",
    "language=de",
    "language=en&page_size=3",
    "page_size=100&language=de&ordering=name",
    *(f"page_size=2&ordering={name}" for name in ORDERINGS),
]
REFUSED = [
    "language=fr",
    "page_size=0",
    "page_size=x&language=fr",
    "ordering=nothing",
    "ordering=-relevance",
    "cursor=x",
    "cursor=e30",
    "nothing=1",
    "page_size=1&page_size=2",
    "cursor=",
    "cursor=%00",
    "cursor=%ff",
]


class Plain(ProductViewSet):
    """The same without the lane."""

    @tagged_read
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return ListModelMixin.list(self, request)

    @tagged_read
    def retrieve(self, request: Request, product_id: Any) -> Response:
        body = detail(self.get_object(), language_of(request.query_params))
        return Response(body, headers={"ETag": tag(body)})


def answers(path: str, headers: dict[str, str], method: str = "GET", **kwargs: Any) -> list[Any]:
    """Status, headers and body of the lane's answer, and of the plain answer."""
    found = []
    for view in (ProductViewSet, Plain):
        action = view.as_view({"get": "retrieve" if kwargs else "list"})
        answer = action(RequestFactory().generic(method, path, headers=headers), **kwargs)
        answer = answer.render() if isinstance(answer, Response) else answer
        assert isinstance(answer, HttpResponse)
        found.append((answer.status_code, dict(answer.headers), answer.content))
    return found


def assert_same(path: str, method: str = "GET", /, **headers: str) -> tuple[int, Any, bytes]:
    """Compare twice: what is made, and then what is kept."""
    key = path.removeprefix(LIST).partition("?")[0].strip("/")
    for _ in range(2):
        lane, plain = answers(path, headers, method, **({"product_id": key} if key else {}))
        assert lane == plain, path
    return plain  # type: ignore[no-any-return]


def assert_all_same(products: list[Product], pages: list[str] = PAGES) -> None:
    for query in pages:
        path: str | None = f"{LIST}?{query}"
        while path:
            _, _, body = assert_same(path)
            path = decoded(HttpResponse(body))["next"]
    for product in products:
        for query in ("", "?language=de"):
            assert_same(f"{LIST}{product.pk}/{query}")


@pytest.fixture
def catalogue(transactional_db: None) -> list[Product]:
    """Products with all that a body can have, and with nothing."""
    home = create_category(slug="home", name=TEXT, translations={"de": {"name": "Zuhause"}})
    lamps = create_category(slug="lamps", name="Lamps", parent=home)
    german = {"de": {"name": "Laterne", "description": TEXT}}
    made = [
        make_product(name=TEXT, description=TEXT, translations=german, category=lamps),
        make_product(name="ä", compare_at_price=Decimal("10.00"), category=lamps, sku="A-1"),
        make_product(name="Ä", price=Decimal(0), category=home),
        *(make_product(category=lamps, stock=number) for number in range(5)),
        make_product(),
        make_product(active=False, stock=0),
    ]
    same = datetime(2026, 11, 2, 12, tzinfo=UTC)
    Product.objects.filter(pk__in=[each.pk for each in made[:3]]).update(created_at=same)
    for other in made[2:5]:
        RelatedProduct.objects.create(product=made[0], other=other, customers=3)
    for number in range(5):
        review(made[0], rating=1 + number)
    picture(made[0], 0)
    return made


def review(product: Product, rating: int) -> Review:
    customer = uuid7()
    Purchase.objects.create(customer_id=customer, product=product)
    text = {"title": TEXT, "comment": "x"}
    return write_review(product_id=product.pk, customer_id=customer, rating=rating, **text)


def picture(product: Product, position: int) -> None:
    name = f"{uuid7().hex}.webp"
    ProductImage.objects.create(
        product=product, position=position, name=name, alt=TEXT, width=3, height=4, size_bytes=5
    )
    Product.objects.filter(pk=product.pk).update(image=name)


def rename_root() -> None:
    edit_category(category_id=Category.objects.get(slug="home").pk, changes={"name": "House"})


def restock(products: list[Product]) -> None:
    Product.objects.filter(pk=products[3].pk).update(stock=77)


def restock_and_take_it_back(products: list[Product]) -> None:
    restock(products)
    assert_same(LIST)
    Product.objects.filter(pk=products[3].pk).update(stock=0)


def edit_twice_in_one_transaction(products: list[Product]) -> None:
    with transaction.atomic():
        for price in (Decimal(5), Decimal(6)):
            edit_product(product_id=products[0].pk, changes={"price": price})
            assert_same(LIST)


def edit_newest_review(products: list[Product]) -> None:
    newest = Review.objects.order_by("-id")[0]
    edit_review(review_id=newest.pk, customer_id=newest.customer_id, changes={"comment": "Other."})


def hide_newest_review(products: list[Product]) -> None:
    hide_review(review_id=Review.objects.order_by("-id")[0].pk, by=uuid7())


def relate_others(products: list[Product]) -> None:
    RelatedProduct.objects.filter(other=products[2]).update(customers=1)
    RelatedProduct.objects.create(product=products[0], other=products[8], customers=9)


def move_to_lamps(products: list[Product]) -> None:
    lamps = Category.objects.get(slug="lamps")
    edit_product(product_id=products[8].pk, changes={"category": lamps})


CHANGES: list[Callable[[list[Product]], Any]] = [
    restock,
    restock_and_take_it_back,
    edit_twice_in_one_transaction,
    edit_newest_review,
    hide_newest_review,
    # Past the service, which counts the reviews of the product after each change.
    lambda products: Review.objects.update(comment="Past the service."),
    lambda products: Product.objects.filter(pk=products[8].pk).update(stock=3),
    relate_others,
    lambda products: rename_root(),
    lambda products: Category.objects.filter(slug="lamps").update(name="Lights"),
    lambda products: review(products[1], 3),
    lambda products: picture(products[0], 1),
    lambda products: ProductImage.objects.update(alt="Another"),
    lambda products: edit_product(product_id=products[2].pk, changes={"category": None}),
    move_to_lamps,
    lambda products: edit_product(product_id=products[9].pk, changes={"active": True}),
    lambda products: delete_product(product_id=products[4].pk),
    lambda products: make_product(category=Category.objects.get(slug="lamps")),
    lambda products: Product.objects.filter(pk=products[0].pk).update(translations={}),
]


def test_lane_answers_what_the_plain_code_answers_whatever_changes(
    catalogue: list[Product],
) -> None:
    assert_all_same(catalogue)

    for change in CHANGES:
        change(catalogue)
        # The last is in no category, and so among the related products of none.
        assert_all_same([*catalogue[:2], catalogue[8]], PAGES[:2])


@pytest.mark.parametrize("query", REFUSED)
def test_lane_refuses_what_the_plain_code_refuses(catalogue: list[Product], query: str) -> None:
    for path in (LIST, f"{LIST}{catalogue[0].pk}/"):
        status, _, _ = assert_same(f"{path}?{query}")
        assert status == 400


def test_lane_answers_conditions_and_kinds_like_the_plain_code(
    catalogue: list[Product], nobody: Caller, staff: Caller, customer: Caller
) -> None:
    product = f"{LIST}{catalogue[0].pk}/"
    for path in (LIST, product):
        _, headers, _ = assert_same(path)
        assert assert_same(path, if_none_match=headers["ETag"])[0] == 304
        assert assert_same(path, "HEAD")[0] == 200
        assert assert_same(path, accept="text/html")[0] == 406
        problem(nobody.get(path, Authorization="Bearer x"), 401)
        problem(nobody.get(path, Authorization="Basic eDp5"), 401)
        for caller in (customer, staff, Caller.machine("stock:read")):
            assert caller.get(path).content == nobody.get(path).content
    hidden = f"{LIST}{catalogue[9].pk}/"
    assert assert_same(hidden)[0] == assert_same(f"{LIST}{uuid7()}/")[0] == 404
    assert (nobody.get(hidden).status_code, staff.get(hidden).status_code) == (404, 200)


def test_what_is_kept_costs_one_statement(catalogue: list[Product], nobody: Caller) -> None:
    for path in (LIST, f"{LIST}?page_size=4", f"{LIST}{catalogue[0].pk}/"):
        decoded(nobody.get(path))
        with CaptureQueriesContext(connection) as captured:
            decoded(nobody.get(path))

        assert len(captured) == 1


def test_row_that_changes_while_a_page_is_made_is_never_kept_as_it_was(
    catalogue: list[Product],
) -> None:
    def change_first(execute: Any, sql: str, *rest: Any) -> Any:
        if "xmin" in sql and "row_version" in sql:
            waiting.extend([Product.objects.filter(pk=catalogue[8].pk)] * (not waiting))
            waiting[0].update(price=Decimal(8))
        return execute(sql, *rest)

    waiting: list[Any] = []
    make_product()  # or everything would be kept
    with connection.execute_wrapper(change_first):
        lane, plain = answers(LIST, {})

    assert waiting
    assert lane == plain
    assert_all_same(catalogue[:1], PAGES[:1])


def test_rows_are_kept_only_as_far_as_there_is_room(
    catalogue: list[Product], nobody: Caller
) -> None:
    decoded(nobody.get(LIST))
    assert rows_kept._entries

    rows_kept.put({f"other {number}": b"x" * 100_000 for number in range(100)})

    assert sum(map(len, rows_kept._entries.values())) <= 8 * 1024**2
    assert_all_same(catalogue[:1], PAGES[:1])
