"""Hostile values in a product's fields: C1 to C4, C12, C14 of the list of hostile input.

Each is refused as a problem, and nothing happens.
"""

from typing import Any

import pytest

from products.handlers import router
from products.models import Product
from products.services.stock import adjust_stock
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver
from servicekit.testing.races import at_once
from tests.catalogue_abuse.state import LAMP, PATH, nothing_changes
from tests.factories import make_product, placed

PRICES = [
    "-1", "-0", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "1e2", "0.001", "1" * 22,
    "1,00", "0x10", " 1 ", "1 ", "\uff11\uff12", "\u0661", "1.", ".5", "+1", "", "1_000",
    None, 1, 1.0, 0.1, True, [], {}, ["1.00"],
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("price", PRICES, ids=repr)
def test_c1_price_that_is_no_decimal_string_is_400(staff: Caller, price: object) -> None:
    product = make_product(compare_at_price=None)

    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "price": price}), 400, "invalid", "/price")
        problem(staff.patch(f"{PATH}{product.pk}/", {"price": price}), 400, "invalid", "/price")
        if price is not None:
            before = {**LAMP, "compare_at_price": price}
            problem(staff.post(PATH, before), 400, "invalid", "/compare_at_price")


@pytest.mark.django_db
@pytest.mark.parametrize("number", [b"1e400", b"-0", b"NaN", b"Infinity", b"1" + b"0" * 5000])
def test_c1_price_that_is_a_wild_number_is_400(staff: Caller, number: bytes) -> None:
    raw = b'{"name": "Lamp", "currency": "EUR", "price": ' + number + b"}"

    with nothing_changes():
        problem(staff.call("POST", PATH, raw=raw), 400)


@pytest.mark.django_db
def test_c1_price_passes_through_no_binary_float(staff: Caller) -> None:
    body = decoded(staff.post(PATH, {**LAMP, "price": "9999999999.99"}), 201)

    assert body["price"] == "9999999999.99"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "currency", ["XXX", "eur", "EU", "EURO", "EUR ", "\u20ac", "", None, 978, ["EUR"], {"EUR": 1}]
)
def test_c2_unknown_currency_is_400(staff: Caller, currency: object) -> None:
    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "currency": currency}), 400, "invalid", "/currency")


SLUGS = [
    "Lamp", "l\u00e4mp", "la\u0308mp", "lamp-", "-lamp", "la--mp", "la mp", "la_mp", "lamp/",
    "../lamp",
    "l" * 300, "", " ", "lamp\n", "lamp\0", "\uff4camp", "l\u0430mp", None, 7, ["lamp"],
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("slug", SLUGS, ids=repr)
def test_c3_other_spelling_of_a_slug_is_400(staff: Caller, slug: object) -> None:
    make_product(slug="lamp")

    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "slug": slug}), 400)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "second"),
    [("Lamp", "LAMP"), ("L\u00e4mp", "La\u0308mp"), ("Lamp", "Lamp -"), ("\u706f", "\U0001f4a1")],
)
def test_c3_names_of_one_slug_are_two_products(staff: Caller, first: str, second: str) -> None:
    bodies = [decoded(staff.post(PATH, {**LAMP, "name": name}), 201) for name in (first, second)]

    assert [body["name"] for body in bodies] == [first, second]
    assert bodies[1]["slug"].startswith(f"{bodies[0]['slug']}-")


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["popular", "null", "undefined", "stock", "reviews", "admin"])
def test_c3_no_word_is_reserved_as_products_are_found_by_id(staff: Caller, word: str) -> None:
    body = decoded(staff.post(PATH, {**LAMP, "slug": word}), 201)

    assert decoded(staff.get(f"{PATH}?slug={word}"))["results"][0]["id"] == body["id"]


@pytest.mark.django_db(transaction=True)
def test_c3_of_many_at_once_one_gets_the_slug(staff: Caller) -> None:
    body = {**LAMP, "slug": "lamp", "stock": 3}

    answers = at_once(*[lambda: staff.post(PATH, body)] * 6)

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, 409, 409, 409, 409, 409]
    product = Product.objects.get()
    assert product.movements.count() == 1


NAMES = [
    "La\0mp", "La\x01mp", "La\x1bmp", "La\x7fmp", "La\x85mp", "La\nmp", "La\tmp", "La\r\nmp",
    "La\u2028mp", "La\u202emp", "La\u2066mp", "\ufeffLamp", "La\ud800mp", "La\u200bmp",
    "La\u2060mp",
    " ", "\u3000", "\u200d", "\u200d\ufe0f", "", "L" * 201, None, 7, ["Lamp"], {"en": "Lamp"},
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_c4_name_that_deceives_or_breaks_is_400(staff: Caller, name: object) -> None:
    product = make_product()

    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "name": name}), 400)
        problem(staff.patch(f"{PATH}{product.pk}/", {"name": name}), 400)
        problem(staff.post("/api/categories/", {"slug": "x", "name": name}), 400)


@pytest.mark.django_db
def test_c4_name_of_a_million_characters_is_413(staff: Caller) -> None:
    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "name": "L" * 10**6}), 413)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 lamp", "\u2764\ufe0f", "L\u00e4mpchen",
        "La\u0308mp",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u706f", " Lamp ", "O'Brien \"&\" <b>",
    ],
)  # fmt: skip
def test_c4_name_of_people_is_kept_as_it_came(staff: Caller, nobody: Caller, name: str) -> None:
    body = decoded(staff.post(PATH, {**LAMP, "name": name}), 201)

    assert decoded(nobody.get(f"{PATH}{body['id']}/"))["name"] == name


@pytest.mark.django_db
@pytest.mark.parametrize(
    "stock", [-1, 10**9 + 1, 2**63, 10**400, 1.0, 1.5, "5", "", None, True, [5], {"delta": 5}],
    ids=lambda stock: str(stock)[:20],
)  # fmt: skip
def test_c12_stock_that_is_no_number_of_units_is_400(staff: Caller, stock: object) -> None:
    product = make_product(stock=5)
    path = f"{PATH}{product.pk}/"

    with nothing_changes():
        problem(staff.post(PATH, {**LAMP, "stock": stock}), 400)
        if stock != -1:
            problem(staff.post(f"{path}stock/", {"delta": stock, "reason": "x"}), 400)


@pytest.mark.django_db
@pytest.mark.parametrize("stock", [0, 5, 7])
def test_c12_stock_is_set_by_nobody_absolutely(staff: Caller, stock: int) -> None:
    path = f"{PATH}{make_product(stock=5).pk}/"

    with nothing_changes():
        problem(staff.patch(path, {"stock": stock}), 400, "invalid", "/stock")
        problem(staff.call("PUT", path, {**LAMP, "stock": stock}), 400, "invalid", "/stock")
        problem(staff.post(f"{path}stock/", {"stock": stock, "reason": "x"}), 400)


@pytest.mark.django_db(transaction=True)
def test_c12_adjustments_at_once_with_orders_lose_nothing() -> None:
    product = make_product(stock=100)

    def sell() -> None:
        for _ in range(15):
            deliver(router, "products.orders", [placed({product.pk: 1})])

    def restock() -> None:
        for _ in range(15):
            adjust_stock(product_id=product.pk, delta=2, reason="delivery", by=product.pk)

    assert at_once(sell, restock, sell) == [None] * 3

    product.refresh_from_db()
    assert product.stock == 100 - 30 + 30


MEMBERS: list[dict[str, Any]] = [
    {"id": "0190a5b4-0000-7000-8000-000000000001"}, {"owner": "eve"}, {"rating_average": "5.00"},
    {"rating_count": 99}, {"created_at": "2020-01-01T00:00:00Z"}, {"updated_at": None},
    {"version": 7},
    {"stock": 99}, {"is_in_stock": True}, {"deleted_at": None}, {"category_path": []}, {"pk": 1},
    {"category": {"slug": "x"}}, {"category_id": 1}, {"__class__": "x"}, {"": 1}, {"Name": "X"},
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("members", MEMBERS, ids=repr)
def test_c14_member_that_is_not_for_clients_is_400(staff: Caller, members: dict[str, Any]) -> None:
    product = make_product(stock=5)

    with nothing_changes():
        edit = {"description": "New", **members}
        problem(staff.patch(f"{PATH}{product.pk}/", edit), 400)
        problem(staff.call("PUT", f"{PATH}{product.pk}/", {**LAMP, **members}), 400)
        if members != {"stock": 99}:
            problem(staff.post(PATH, {**LAMP, **members}), 400)
