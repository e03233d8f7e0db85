"""SKU, slug, the price of before, and what may not be switched off by mistake."""

from decimal import Decimal
from typing import Any

import pytest

from products.errors import SkuTaken
from products.models import Product
from products.services.categories import create_category, edit_category
from products.services.products import create_product, delete_product, edit_product
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import make_product

PATH = "/api/products/"
LANTERN: dict[str, Any] = {"name": "White lantern", "price": "3.39", "currency": "GBP"}
CHANGED = "products.product_changed.v1"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("White lantern", "white-lantern"),
        ("  Größe: L_(3 x) ", "groe-l-3-x"),
        ("Ärmel\u00a0Café", "armel-cafe"),
        ("چراغ", "product"),
        ("---", "product"),
        ("long " * 40, "long-" * 17 + "long"),
    ],
)
def test_slug_is_made_from_the_name(staff: Caller, name: str, slug: str) -> None:
    body = decoded(staff.post(PATH, {**LANTERN, "name": name}), 201)

    assert body["slug"].startswith(slug[:80])
    assert Product.objects.get().slug == body["slug"]
    # What we make ourselves is what the API takes.
    decoded(staff.call("PATCH", f"{PATH}{body['id']}/", {"slug": body["slug"]}))


@pytest.mark.django_db
def test_slug_of_a_taken_name_gets_a_suffix(staff: Caller) -> None:
    slugs = {decoded(staff.post(PATH, LANTERN), 201)["slug"] for _ in range(4)}

    assert len(slugs) == 4
    assert all(slug.startswith("white-lantern") for slug in slugs)


@pytest.mark.django_db(transaction=True)
def test_products_of_one_name_at_once_all_get_a_slug() -> None:
    made = at_once(
        *(
            [
                lambda: create_product(name="Lantern", price=Decimal(1), currency="EUR").slug,
            ]
            * 8
        )
    )

    assert len(set(made)) == 8
    assert len(outbox_events(CHANGED)) == 8


@pytest.mark.django_db
def test_sku_is_unique_among_products_that_are_there(staff: Caller) -> None:
    first = decoded(staff.post(PATH, {**LANTERN, "sku": "85123A"}), 201)

    problem(staff.post(PATH, {**LANTERN, "sku": "85123A"}), 409, "sku_taken")

    assert Product.objects.count() == 1
    assert len(outbox_events(CHANGED)) == 1
    delete_product(product_id=first["id"])
    assert decoded(staff.post(PATH, {**LANTERN, "sku": "85123A"}), 201)["sku"] == "85123A"


@pytest.mark.django_db
def test_products_without_a_sku_are_many(staff: Caller) -> None:
    for _ in range(2):
        assert decoded(staff.post(PATH, {**LANTERN, "sku": ""}), 201)["sku"] == ""


@pytest.mark.django_db
@pytest.mark.parametrize("sku", [" 1", "-1", "a b", "ä", "x" * 65, 1, None, "=1+1"])
def test_other_skus_are_refused(staff: Caller, sku: object) -> None:
    problem(staff.post(PATH, {**LANTERN, "sku": sku}), 400, "invalid", "/sku")

    assert Product.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_sku_is_given_once_under_a_race() -> None:
    products = [make_product() for _ in range(6)]

    def give(product: Product) -> str:
        try:
            edit_product(product_id=product.pk, changes={"sku": "S-1"})
        except SkuTaken:
            return "taken"
        return "given"

    results = at_once(*[lambda product=product: give(product) for product in products])

    assert sorted(results) == ["given"] + ["taken"] * 5
    assert Product.objects.filter(sku="S-1").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("before", ["3.39", "3.38", "0.00"])
def test_price_of_before_is_above_the_price(staff: Caller, before: str) -> None:
    refused = staff.post(PATH, {**LANTERN, "compare_at_price": before})
    product = make_product(price=Decimal("3.39"), compare_at_price=Decimal("5.00"))
    raised = staff.call("PATCH", f"{PATH}{product.pk}/", {"price": "5.00"})

    problem(refused, 400, "invalid", "/compare_at_price")
    problem(raised, 400, "invalid", "/compare_at_price")
    assert Product.objects.get().price == Decimal("3.39")


@pytest.mark.django_db
def test_price_of_before_is_shown_and_told(staff: Caller, nobody: Caller) -> None:
    body = decoded(staff.post(PATH, {**LANTERN, "compare_at_price": "4.5"}), 201)

    assert body["compare_at_price"] == "4.50"
    assert outbox_events(CHANGED)[0]["data"]["compare_at_price"] == "4.50"
    path = f"{PATH}{body['id']}/"
    gone = decoded(staff.call("PATCH", path, {"compare_at_price": None, "price": "9.00"}))
    assert gone["compare_at_price"] is decoded(nobody.get(path))["compare_at_price"] is None


@pytest.mark.django_db
def test_product_with_stock_is_not_switched_off_by_mistake(staff: Caller) -> None:
    product = make_product(stock=7)
    path = f"{PATH}{product.pk}/"

    body = problem(staff.call("PATCH", path, {"active": False}), 409, "product_has_stock")

    product.refresh_from_db()
    assert (body["stock"], product.active, product.version) == (7, True, 1)
    assert len(outbox_events(CHANGED)) == 1
    off = decoded(staff.call("PATCH", path, {"active": False, "even_with_stock": True}))
    assert (off["active"], off["stock"]) == (False, 7)
    # Off already: there is no mistake to make.
    decoded(staff.call("PATCH", path, {"active": False, "name": "Lamp"}))


@pytest.mark.django_db
def test_product_without_stock_is_switched_off_without_a_question(staff: Caller) -> None:
    product = make_product(stock=0)

    assert not decoded(staff.call("PATCH", f"{PATH}{product.pk}/", {"active": False}))["active"]


@pytest.mark.django_db
def test_put_gives_these_fields_and_no_others(staff: Caller) -> None:
    category = create_category(slug="lanterns", name="Lanterns")
    product = make_product(
        slug="white", description="For candles.", category=category, sku="1", stock=0, active=False,
        compare_at_price=Decimal(9),
    )  # fmt: skip

    body = decoded(staff.call("PUT", f"{PATH}{product.pk}/", LANTERN))

    expected = {
        "slug": "white", "name": "White lantern", "description": "", "category": None, "sku": "",
        "compare_at_price": None, "active": True, "price": "3.39", "stock": 0, "version": 2,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["name", "price", "currency"])
def test_put_without_a_required_field_changes_nothing(staff: Caller, missing: str) -> None:
    product = make_product(name="Before")
    members = {name: value for name, value in LANTERN.items() if name != missing}

    problem(staff.call("PUT", f"{PATH}{product.pk}/", members), 400, "invalid", f"/{missing}")

    product.refresh_from_db()
    assert (product.name, product.version) == ("Before", 1)


@pytest.mark.django_db
def test_put_of_an_older_version_is_refused(staff: Caller) -> None:
    product = make_product()
    edit_product(product_id=product.pk, changes={"name": "Newer"})

    refused = staff.call("PUT", f"{PATH}{product.pk}/", LANTERN, If_Match='"1"')

    problem(refused, 412, "stale_version")
    assert Product.objects.get().name == "Newer"


@pytest.mark.django_db
def test_customers_replace_nothing(customer: Caller, nobody: Caller) -> None:
    product = make_product(name="Before")

    problem(customer.call("PUT", f"{PATH}{product.pk}/", LANTERN), 403)
    problem(nobody.call("PUT", f"{PATH}{product.pk}/", LANTERN), 401)

    assert Product.objects.get().name == "Before"
    assert OutboxEvent.objects.count() == 1


@pytest.mark.django_db
def test_product_tells_the_path_of_its_category(nobody: Caller) -> None:
    home = create_category(slug="home", name="Home")
    light = create_category(slug="light", name="Light", parent=home)
    lamps = create_category(slug="lamps", name="Lamps", parent=light)
    path = f"{PATH}{make_product(category=lamps).pk}/"

    answer = nobody.get(path)

    told = [each["slug"] for each in decoded(answer)["category_path"]]
    assert told == ["home", "light", "lamps"]
    assert nobody.get(path, If_None_Match=answer["ETag"]).status_code == 304
    edit_category(category_id=home.pk, changes={"name": "House"})
    again = nobody.get(path, If_None_Match=answer["ETag"])
    assert decoded(again)["category_path"][0]["name"] == "House"


@pytest.mark.django_db
def test_tag_of_a_product_in_a_category_is_good_for_an_edit(staff: Caller) -> None:
    category = create_category(slug="lanterns", name="Lanterns")
    path = f"{PATH}{make_product(category=category).pk}/"
    tag = staff.get(path)["ETag"]

    decoded(staff.call("PATCH", path, {"name": "Lamp"}, If_Match=tag))
    problem(staff.call("PATCH", path, {"name": "Again"}, If_Match=tag), 412, "stale_version")
