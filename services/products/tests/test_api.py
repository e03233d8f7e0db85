"""The catalogue over HTTP, as clients and staff meet it."""

from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from products.api.filters import ProductFilterSet
from products.models import Category, Product, StockMovement
from products.services.categories import create_category
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import make_product

PATH = "/api/products/"
LANTERN = {"slug": "white-lantern", "name": "White lantern", "price": "3.39", "currency": "GBP"}


@pytest.mark.django_db
def test_everybody_reads_a_product(nobody: Caller) -> None:
    category = create_category(slug="lanterns", name="Lanterns")
    product = make_product(slug="white", price=Decimal("3.4"), stock=7, category=category)

    answer = nobody.get(f"{PATH}{product.pk}/")

    body = decoded(answer)
    assert answer["ETag"].startswith('"1-7-')
    assert (body["price"], body["currency"], body["stock"], body["version"]) == (
        "3.40",
        "GBP",
        7,
        1,
    )
    assert body["category"] == {"id": str(category.pk), "slug": "lanterns", "name": "Lanterns"}
    assert body["created_at"].endswith("Z")


@pytest.mark.django_db
def test_hidden_products_are_for_staff_only(
    nobody: Caller, customer: Caller, staff: Caller
) -> None:
    hidden = make_product(active=False)

    for caller in (nobody, customer):
        problem(caller.get(f"{PATH}{hidden.pk}/"), 404)
        assert decoded(caller.get(PATH))["results"] == []
        problem(caller.get(f"{PATH}?active=false"), 400)
    assert decoded(staff.get(f"{PATH}{hidden.pk}/"))["active"] is False
    assert len(decoded(staff.get(f"{PATH}?active=all"))["results"]) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "ordering", ["-created_at", "created_at", "price", "-price", "name", "-name"]
)
def test_list_pages_through_everything_once_in_each_order(nobody: Caller, ordering: str) -> None:
    for number in range(11):
        make_product(name=f"Thing {number % 3}", price=Decimal(number % 4))

    seen, link = [], f"{PATH}?page_size=4&ordering={ordering}"
    while link:
        page = decoded(nobody.get(link))
        seen += page["results"]
        link = page["next"]

    field = ordering.lstrip("-")
    values = [Decimal(each[field]) if field == "price" else each[field] for each in seen]
    assert len({each["id"] for each in seen}) == 11
    assert values == sorted(values, reverse=ordering.startswith("-"))


@pytest.mark.django_db
def test_list_filters(nobody: Caller) -> None:
    category = create_category(slug="lanterns", name="Lanterns")
    make_product(slug="a", name="Red LANTERN", price=Decimal("1.00"), category=category)
    make_product(slug="b", name="Blue lamp 100%", price=Decimal("2.00"))

    def slugs(query: str) -> list[str]:
        return [each["slug"] for each in decoded(nobody.get(f"{PATH}?{query}"))["results"]]

    assert slugs("slug=a") == ["a"]
    assert slugs("category=lanterns") == ["a"]
    assert slugs("search=lantern") == ["a"]
    assert slugs("search=100%25") == ["b"]
    assert slugs("search=_") == []
    assert slugs("min_price=1.50") == ["b"]
    assert slugs("max_price=1.5") == ["a"]
    assert slugs("category=none") == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["min_price=x", "min_price=-1", "min_price=1e3", "min_price=2&max_price=1", "search=",
    "search=" + "x" * 101,
     "ordering=stock", "unknown=1", "slug=a&slug=b", "search=%00", "cursor=AAAA", "page_size=1000",
     "active=yes"],
)  # fmt: skip
def test_bad_query_is_400(nobody: Caller, query: str) -> None:
    problem(nobody.get(f"{PATH}?{query}"), 400)


@pytest.mark.django_db
def test_cursor_of_another_order_is_400(nobody: Caller) -> None:
    for _ in range(3):
        make_product()
    link = decoded(nobody.get(f"{PATH}?page_size=1&ordering=name"))["next"]

    problem(nobody.get(link.replace("ordering=name", "ordering=price")), 400)


@pytest.mark.django_db
def test_staff_create_a_product_with_stock_and_its_state_is_published(staff: Caller) -> None:
    answer = staff.post(PATH, {**LANTERN, "stock": 5})

    body = decoded(answer, 201)
    assert answer["Location"] == f"{PATH}{body['id']}/"
    movement = StockMovement.objects.get()
    assert (movement.kind, movement.quantity, movement.by) == ("initial", 5, staff.id)
    (event,) = outbox_events()
    assert (event["type"], event["sequence"]) == ("products.product_changed.v1", 1)
    assert event["data"] == {
        "product_id": body["id"],
        "version": 1,
        **LANTERN,
        "sku": "",
        "compare_at_price": None,
        "description": "",
        "translations": {},
        "attributes": {},
        "active": True,
        "category": None,
    }


@pytest.mark.django_db
def test_customers_and_nobody_cannot_write(customer: Caller, nobody: Caller) -> None:
    product = make_product()
    before = OutboxEvent.objects.count()

    for caller, status in ((customer, 403), (nobody, 401)):
        problem(caller.post(PATH, LANTERN), status)
        problem(caller.patch(f"{PATH}{product.pk}/", {"price": "0.01"}), status)
        problem(caller.delete(f"{PATH}{product.pk}/"), status)
        problem(caller.post(f"{PATH}{product.pk}/stock/", {"delta": 5, "reason": "x"}), status)
        problem(caller.get(f"{PATH}{product.pk}/stock/"), status)
        problem(caller.post("/api/categories/", {"slug": "x", "name": "x"}), status)

    product.refresh_from_db()
    assert (product.price, product.stock, product.version) == (Decimal("3.39"), 10, 1)
    assert Product.objects.count() == 1
    assert OutboxEvent.objects.count() == before


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": None}, "/name"),
    "blank name": ({"name": "  "}, "/name"),
    "long name": ({"name": "x" * 201}, "/name"),
    "NUL": ({"name": "a\0b"}, ""),
    "bidi": ({"name": "a\u202eb"}, "/name"),
    "slug": ({"slug": "White Lantern"}, "/slug"),
    "slug umlaut": ({"slug": "lämpchen"}, "/slug"),
    "price number": ({"price": 3.39}, "/price"),
    "price negative": ({"price": "-1.00"}, "/price"),
    "price NaN": ({"price": "NaN"}, "/price"),
    "price digits": ({"price": "1.999"}, "/price"),
    "price Arabic digits": ({"price": "\u0661"}, "/price"),
    "price huge": ({"price": "9" * 11}, "/price"),
    "currency": ({"currency": "XXX"}, "/currency"),
    "stock text": ({"stock": "5"}, "/stock"),
    "stock negative": ({"stock": -1}, "/stock"),
    "stock huge": ({"stock": 10**10}, "/stock"),
    "active text": ({"active": "yes"}, "/active"),
    "category": ({"category": "none"}, "/category"),
    "unknown": ({"colour": "red"}, "/colour"),
    "version": ({"version": 7}, "/version"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD)
def test_invalid_product_is_400_with_a_pointer(staff: Caller, name: str) -> None:
    change, pointer = BAD[name]

    body = problem(staff.post(PATH, {**LANTERN, **change}), 400)

    assert pointer in [each["pointer"] for each in body.get("errors", [{"pointer": ""}])]
    assert not Product.objects.exists()
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
def test_slug_belongs_to_one_product_for_ever(staff: Caller) -> None:
    first = decoded(staff.post(PATH, LANTERN), 201)
    staff.delete(f"{PATH}{first['id']}/")

    problem(staff.post(PATH, LANTERN), 409, "slug_taken")


@pytest.mark.django_db
def test_edit_publishes_the_new_state_and_nothing_if_nothing_changed(staff: Caller) -> None:
    product = make_product(name="Old", price=Decimal("1.00"))

    body = decoded(staff.patch(f"{PATH}{product.pk}/", {"name": "New", "price": "1.00"}))
    decoded(staff.patch(f"{PATH}{product.pk}/", {"name": "New"}))

    assert (body["name"], body["version"]) == ("New", 2)
    assert [each["sequence"] for each in outbox_events()] == [1, 2]
    assert outbox_events()[-1]["data"]["name"] == "New"


@pytest.mark.django_db
def test_edit_cannot_touch_the_stock(staff: Caller) -> None:
    product = make_product(stock=3)

    problem(staff.patch(f"{PATH}{product.pk}/", {"stock": 100}), 400, "", "/stock")

    product.refresh_from_db()
    assert product.stock == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrap", ["{}", "W/{}", '"other", {}', '"a,b" ,, W/{}', "*", '"1"', '"1-999"']
)
def test_edit_and_deletion_accept_the_tag_that_was_read(staff: Caller, wrap: str) -> None:
    """However it is sent, and although a purchase moved the stock meanwhile."""
    for change in (lambda path, **sent: staff.patch(path, {"name": "A"}, **sent), staff.delete):
        product = make_product(stock=5)
        path = f"{PATH}{product.pk}/"
        tag = staff.get(path)["ETag"]
        Product.objects.filter(pk=product.pk).update(stock=4)

        answer = change(path, If_Match=wrap.format(tag))

        assert answer.status_code in (200, 204), answer.content
        product.refresh_from_db()
        assert product.version == 2


@pytest.mark.django_db
@pytest.mark.parametrize("tag", ['"2-10"', '"other"', 'W/"2"', '"0", "7-1"', '"99999999999"', '""'])
def test_edit_and_deletion_of_another_state_are_412(staff: Caller, tag: str) -> None:
    product = make_product()
    OutboxEvent.objects.all().delete()

    problem(staff.patch(f"{PATH}{product.pk}/", {"name": "B"}, If_Match=tag), 412, "stale_version")
    problem(staff.delete(f"{PATH}{product.pk}/", If_Match=tag), 412, "stale_version")

    product.refresh_from_db()
    assert (product.version, product.deleted_at) == (1, None)
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", ["", " ", ",", "1", "1-10", '"1', "'1'", '"1" "2"', '*, "1"', 'w/"1"', '"\t"']
)
def test_condition_that_cannot_be_read_is_400(staff: Caller, header: str) -> None:
    product = make_product()

    problem(staff.patch(f"{PATH}{product.pk}/", {"name": "B"}, If_Match=header), 400)

    product.refresh_from_db()
    assert product.version == 1


@pytest.mark.django_db
def test_product_that_the_client_has_is_304(nobody: Caller) -> None:
    product = make_product(stock=5)
    path = f"{PATH}{product.pk}/"
    tag = nobody.get(path)["ETag"]

    for sent in (tag, f"W/{tag}", f'"other",{tag}', "*"):
        answer = nobody.get(path, If_None_Match=sent)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    for sent in ('"other"', "nonsense", ""):
        assert decoded(nobody.get(path, If_None_Match=sent))["stock"] == 5
    Product.objects.filter(pk=product.pk).update(stock=4)
    assert decoded(nobody.get(path, If_None_Match=tag))["stock"] == 4


@pytest.mark.django_db
def test_edit_of_an_old_version_is_412(staff: Caller) -> None:
    product = make_product()
    decoded(staff.patch(f"{PATH}{product.pk}/", {"name": "A"}, If_Match='"1"'))

    body = problem(
        staff.patch(f"{PATH}{product.pk}/", {"name": "B"}, If_Match='"1"'), 412, "stale_version"
    )

    assert body["version"] == 2
    problem(staff.patch(f"{PATH}{product.pk}/", {"name": "B"}, If_Match="yesterday"), 400)
    product.refresh_from_db()
    assert product.name == "A"


@pytest.mark.django_db
def test_deleted_product_is_gone_once_and_said_so(staff: Caller, nobody: Caller) -> None:
    product = make_product()

    assert staff.delete(f"{PATH}{product.pk}/").status_code == 204

    problem(staff.delete(f"{PATH}{product.pk}/"), 404)
    problem(staff.patch(f"{PATH}{product.pk}/", {"name": "x"}), 404)
    problem(staff.get(f"{PATH}{product.pk}/"), 404)
    problem(staff.post(f"{PATH}{product.pk}/stock/", {"delta": 1, "reason": "x"}), 404)
    (event,) = outbox_events("products.product_deleted.v1")
    assert event["data"] == {"product_id": str(product.pk), "version": 2}


@pytest.mark.django_db
def test_stock_is_adjusted_and_told_in_the_ledger(staff: Caller) -> None:
    product = make_product(stock=5)
    path = f"{PATH}{product.pk}/stock/"

    assert decoded(staff.post(path, {"delta": -2, "reason": "broken"}))["stock"] == 3

    ledger = decoded(staff.get(path))
    assert ledger["stock"] == 3
    assert [(each["kind"], each["quantity"], each["reason"]) for each in ledger["results"]] == [
        ("adjustment", -2, "broken"),
        ("initial", 5, ""),
    ]
    assert ledger["results"][0]["by"] == str(staff.id)


@pytest.mark.django_db
def test_adjustment_below_zero_or_above_the_top_is_409(staff: Caller) -> None:
    product = make_product(stock=2)
    path = f"{PATH}{product.pk}/stock/"

    assert (
        problem(staff.post(path, {"delta": -3, "reason": "x"}), 409, "insufficient_stock")[
            "available"
        ]
        == 2
    )
    problem(staff.post(path, {"delta": 10**9, "reason": "x"}), 409, "stock_too_large")

    product.refresh_from_db()
    assert product.stock == 2
    assert product.movements.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [{}, {"delta": 0, "reason": "x"}, {"delta": "1", "reason": "x"}, {"delta": 1},
    {"delta": 1, "reason": " "}, {"delta": 1.0, "reason": "x"}],
)  # fmt: skip
def test_bad_adjustment_is_400(staff: Caller, body: dict[str, Any]) -> None:
    product = make_product(stock=2)

    problem(staff.post(f"{PATH}{product.pk}/stock/", body), 400)

    product.refresh_from_db()
    assert product.stock == 2


@pytest.mark.django_db
def test_adjustment_with_one_key_happens_once(staff: Caller) -> None:
    product, other = make_product(stock=2), make_product(stock=2)
    body = {"delta": 5, "reason": "delivery"}

    first = staff.post(f"{PATH}{product.pk}/stock/", body, Idempotency_Key="c1")
    again = staff.post(f"{PATH}{product.pk}/stock/", body, Idempotency_Key="c1")

    assert decoded(first) == decoded(again) == {"stock": 7}
    assert again["Idempotency-Replayed"] == "true"
    problem(staff.post(f"{PATH}{other.pk}/stock/", body, Idempotency_Key="c1"), 422)
    product.refresh_from_db()
    assert product.stock == 7


@pytest.mark.django_db
def test_adjustment_repeated_after_the_product_is_gone_is_answered_like_the_first(
    staff: Caller,
) -> None:
    product = make_product(stock=2)
    path, body = f"{PATH}{product.pk}/", {"delta": 5, "reason": "delivery"}
    first = staff.post(f"{path}stock/", body, Idempotency_Key="c1")
    assert staff.delete(path).status_code == 204

    again = staff.post(f"{path}stock/", body, Idempotency_Key="c1")

    assert decoded(again) == decoded(first)
    assert again["Idempotency-Replayed"] == "true"
    problem(staff.post(f"{path}stock/", body, Idempotency_Key="c2"), 404)


@pytest.mark.django_db
def test_categories_form_a_tree_without_cycles(staff: Caller) -> None:
    top = decoded(staff.post("/api/categories/", {"slug": "home", "name": "Home"}), 201)
    below = decoded(
        staff.post("/api/categories/", {"slug": "lights", "name": "Lights", "parent": "home"}), 201
    )

    assert below["parent"] == top["id"]
    problem(
        staff.patch(f"/api/categories/{top['id']}/", {"parent": "lights"}), 409, "category_cycle"
    )
    problem(staff.patch(f"/api/categories/{top['id']}/", {"parent": "home"}), 409, "category_cycle")
    problem(staff.delete(f"/api/categories/{top['id']}/"), 409, "category_in_use")
    problem(staff.post("/api/categories/", {"slug": "home", "name": "Again"}), 409, "slug_taken")
    assert Category.objects.get(slug="home").parent is None


@pytest.mark.django_db
def test_renamed_category_publishes_its_products_anew(staff: Caller) -> None:
    category = create_category(slug="lamps", name="Lamps")
    product = make_product(category=category)

    decoded(staff.patch(f"/api/categories/{category.pk}/", {"name": "Lights"}))

    event = outbox_events("products.product_changed.v1")[-1]
    assert (event["subject"], event["data"]["version"]) == (str(product.pk), 2)
    assert event["data"]["category"]["name"] == "Lights"


@pytest.mark.django_db
def test_categories_are_listed_in_pages(nobody: Caller) -> None:
    for slug in ("b", "c", "a"):
        create_category(slug=slug, name=slug.upper())

    first = decoded(nobody.get("/api/categories/?page_size=2"))
    rest = decoded(nobody.get(first["next"]))

    assert [each["slug"] for each in first["results"] + rest["results"]] == ["a", "b", "c"]
    assert rest["next"] is None


@pytest.mark.django_db
def test_unknown_ids_are_404(nobody: Caller, staff: Caller) -> None:
    for path in (PATH, "/api/categories/"):
        problem(nobody.get(f"{path}{uuid7()}/"), 404)
        problem(staff.patch(f"{path}{uuid7()}/", {"name": "x"}), 404)
        problem(staff.delete(f"{path}{uuid7()}/"), 404)
        problem(nobody.get(f"{path}lantern/"), 404)


@pytest.mark.django_db
def test_a_list_is_two_queries_at_most_whatever_its_length(
    nobody: Caller, django_assert_num_queries: Any
) -> None:
    category = create_category(slug="lamps", name="Lamps")
    for _ in range(12):
        make_product(category=category)

    with django_assert_num_queries(2):
        decoded(nobody.get(PATH))
    # What was made is kept: hot_reads.py.
    with django_assert_num_queries(1):
        decoded(nobody.get(PATH))


@pytest.mark.django_db
def test_ids_in_a_path_are_taken_in_capitals_and_answered_in_lower_case(
    nobody: Caller, staff: Caller
) -> None:
    product, category = make_product(), create_category(slug="lamps", name="Lamps")
    path, shelf = (
        f"{PATH}{str(product.pk).upper()}/",
        f"/api/categories/{str(category.pk).upper()}/",
    )

    refused = problem(staff.patch(path, {"nothing": 1}), 400)

    assert decoded(nobody.get(path))["id"] == str(product.pk)
    assert decoded(nobody.get(shelf))["id"] == str(category.pk)
    assert (
        decoded(staff.post(f"{path}stock/", {"delta": 1, "reason": "found"}))["stock"]
        == product.stock + 1
    )
    assert refused["instance"] == f"{PATH}{product.pk}/"
    assert staff.delete(path).status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["{{{}}}", "urn:uuid:{}", "({})"])
def test_other_spellings_of_an_id_are_404(nobody: Caller, spelling: str) -> None:
    product = make_product()

    problem(nobody.get(f"{PATH}{spelling.format(product.pk)}/"), 404)
    problem(nobody.get(f"{PATH}{product.pk.hex}/"), 404)


@pytest.mark.django_db
def test_deletion_with_a_body_that_asks_for_anything_is_refused(staff: Caller) -> None:
    product, category = make_product(), create_category(slug="lamps", name="Lamps")
    before = outbox_events()

    for path in (f"{PATH}{product.pk}/", f"/api/categories/{category.pk}/"):
        for body in (b'{"only": "stock"}', b"[]", b"null", b"{"):
            problem(staff.call("DELETE", path, raw=body), 400)
        assert decoded(staff.get(path))["slug"]

    assert outbox_events() == before
    assert staff.call("DELETE", f"{PATH}{product.pk}/", raw=b"{}").status_code == 204


AS_PEOPLE_READ = [
    *("_blank", "10 lamps", "2 lamps", "apfel", "Apfel", "äpfel", "Äpfel", "apfelsine"),
    *("birne", "Birne", "Émile", "ödland", "Straße", "strasse 2", "zebra", "Zebra", "λ", "я"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("ordering", ["name", "-name"])
def test_names_are_ordered_as_people_read_them_on_every_page(
    nobody: Caller, ordering: str, size: int
) -> None:
    for name in [*AS_PEOPLE_READ[::-1], "äpfel", "a\u0308pfel"]:
        make_product(name=name)

    seen, link = [], f"{PATH}?page_size={size}&ordering={ordering}"
    while link:
        page = decoded(nobody.get(link))
        seen += page["results"]
        link = page["next"]

    names = [each["name"] for each in seen][:: -1 if ordering[0] == "-" else 1]
    assert len(seen) == len({each["id"] for each in seen}) == len(AS_PEOPLE_READ) + 2
    assert names.index("apfel") < names.index("äpfel") < names.index("birne")
    assert names.index("apfel") < names.index("a\u0308pfel") < names.index("birne")
    assert list(dict.fromkeys(each for each in names if each != "a\u0308pfel")) == AS_PEOPLE_READ


@pytest.mark.django_db
def test_categories_are_ordered_by_the_bytes_of_their_slugs(nobody: Caller) -> None:
    for slug in ("ab", "a-c", "a1", "b", "a"):
        create_category(slug=slug, name=slug)

    listed = decoded(nobody.get("/api/categories/"))["results"]

    assert [each["slug"] for each in listed] == ["a", "a-c", "a1", "ab", "b"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [*ProductFilterSet.base_filters, "cursor", "page_size", "ordering"]
)
def test_empty_parameter_is_refused_by_name(staff: Caller, name: str) -> None:
    errors = problem(staff.get(f"/api/products/?{name}="), 400, "invalid")["errors"]

    assert [(each["code"], each["detail"].split()[0]) for each in errors] == [
        ("empty_parameter", name)
    ]


@pytest.mark.django_db
def test_longest_description_fits_however_it_is_written(staff: Caller) -> None:
    body = {
        "slug": "long",
        "name": "Long",
        "price": "1.00",
        "currency": "GBP",
        "description": "\U0001f600" * 10_000,
    }

    decoded(staff.post("/api/products/", body), 201)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match", "Authorization"])
def test_empty_header_is_not_an_absent_one(staff: Caller, name: str) -> None:
    product = make_product(stock=5)
    method, path, body = ("PATCH", f"/api/products/{product.pk}/", {"name": "New"})
    if name == "Idempotency-Key":
        method, path, body = (
            "POST",
            f"/api/products/{product.pk}/stock/",
            {"delta": 1, "reason": "x"},
        )  # type: ignore[dict-item]

    answer = staff.call(method, path, body, **{name.replace("-", "_"): ""})

    problem(answer, 401 if name == "Authorization" else 400)
    product.refresh_from_db()
    assert (product.stock, product.name) != (6, "New")
