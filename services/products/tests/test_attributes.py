"""Attributes: what staff define, what products have of them, and the filter by them."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from products.errors import AttributeInUse
from products.models import Attribute, Product
from products.services.attributes import check_attributes, create_attribute, delete_attribute
from products.services.products import delete_product
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import make_product

PATH = "/api/products/"
ATTRIBUTES = "/api/attributes/"


@pytest.fixture
def attributes(db: None) -> None:
    create_attribute(
        key="colour", type="text", name="Colour", translations={"de": {"name": "Farbe"}}
    )
    create_attribute(key="height", type="number", name="Height", unit="cm")
    create_attribute(key="is_foldable", type="boolean", name="Foldable")


@pytest.fixture
def found(nobody: Caller) -> Callable[[str], list[str]]:
    """The names that the filter finds, cheapest first."""

    def ask(terms: str) -> list[str]:
        answer = nobody.get(f"{PATH}?ordering=price&attributes={quote(terms)}")
        return [each["name"] for each in decoded(answer)["results"]]

    return ask


def test_staff_define_attributes_that_everybody_reads(
    attributes: None, staff: Caller, nobody: Caller
) -> None:
    made = decoded(
        staff.post(ATTRIBUTES, {"key": "weight", "type": "number", "name": "Weight", "unit": "g"}),
        201,
    )

    assert decoded(nobody.get(f"{ATTRIBUTES}{made['id']}/")) == {**made, "translations": {}}
    listed = decoded(nobody.get(f"{ATTRIBUTES}?language=de"))["results"]
    assert [(each["key"], each["name"]) for each in listed] == [
        ("colour", "Farbe"),
        ("height", "Height"),
        ("is_foldable", "Foldable"),
        ("weight", "Weight"),
    ]


def test_attribute_is_renamed_and_keeps_key_and_type(attributes: None, staff: Caller) -> None:
    path = f"{ATTRIBUTES}{Attribute.objects.get(key='height').pk}/"

    assert decoded(staff.patch(path, {"name": "Size", "unit": "mm"}))["name"] == "Size"
    problem(staff.patch(path, {"key": "size"}), 400, "invalid", "/key")
    problem(staff.patch(path, {"type": "text"}), 400, "invalid", "/type")

    height = Attribute.objects.get(key="height")
    assert (height.name, height.unit, height.type) == ("Size", "mm", "number")


@pytest.mark.parametrize("key", ["Colour", "1st", "a-b", "a.b", "é", "x" * 51, "", "a b", None, 1])
def test_key_that_could_not_be_asked_for_is_refused(db: None, staff: Caller, key: Any) -> None:
    problem(staff.post(ATTRIBUTES, {"key": key, "type": "text", "name": "X"}), 400, "", "/key")

    assert not Attribute.objects.exists()


def test_key_belongs_to_one_attribute(attributes: None, staff: Caller) -> None:
    taken = staff.post(ATTRIBUTES, {"key": "colour", "type": "number", "name": "X"})

    problem(taken, 409, "attribute_key_taken")


def test_customers_define_nothing(attributes: None, customer: Caller, nobody: Caller) -> None:
    path = f"{ATTRIBUTES}{Attribute.objects.get(key='height').pk}/"

    for caller, status in ((customer, 403), (nobody, 401)):
        problem(caller.post(ATTRIBUTES, {"key": "x", "type": "text", "name": "X"}), status)
        problem(caller.patch(path, {"name": "X"}), status)
        problem(caller.delete(path), status)

    assert Attribute.objects.count() == 3


def test_product_has_values_of_its_attributes(attributes: None, staff: Caller) -> None:
    values = {"colour": "white, matt", "height": 12.5, "is_foldable": False}
    product = make_product()

    body = decoded(staff.patch(f"{PATH}{product.pk}/", {"attributes": values}))

    assert (body["attributes"], body["version"]) == (values, 2)
    assert outbox_events()[-1]["data"]["attributes"] == values
    assert decoded(staff.patch(f"{PATH}{product.pk}/", {"attributes": values}))["version"] == 2
    assert decoded(staff.patch(f"{PATH}{product.pk}/", {"attributes": {}}))["attributes"] == {}


@pytest.mark.parametrize(
    ("values", "pointer", "code"),
    [
        ({"size": "L"}, "/attributes/size", "unknown_attribute"),
        ({"height": "12"}, "/attributes/height", "wrong_type"),
        ({"height": True}, "/attributes/height", "wrong_type"),
        ({"colour": 1}, "/attributes/colour", "wrong_type"),
        ({"is_foldable": "true"}, "/attributes/is_foldable", "wrong_type"),
        ({"is_foldable": 1}, "/attributes/is_foldable", "wrong_type"),
        ({"colour": None}, "/attributes", "invalid"),
        ({"colour": ["red"]}, "/attributes", "invalid"),
        ({"colour": "x" * 201}, "/attributes", "max_length"),
        ({"colour": "\u202e"}, "/attributes", "unclean"),
        ({"colour": " "}, "/attributes", "blank"),
        ({"height": 2**53 + 1}, "/attributes", "invalid"),
        ({"height": -1e300}, "/attributes", "invalid"),
        ({"a'b": 1}, "/attributes", "invalid"),
        ({f"a{number}": 1 for number in range(51)}, "/attributes", "too_many"),
        (["colour"], "/attributes", "invalid"),
        (None, "/attributes", "null"),
    ],
)
def test_values_that_no_attribute_has_are_refused(
    attributes: None, staff: Caller, values: Any, pointer: str, code: str
) -> None:
    product = make_product()
    before = OutboxEvent.objects.count()

    refusal = problem(staff.patch(f"{PATH}{product.pk}/", {"attributes": values}), 400)

    assert [(each["pointer"], each["code"]) for each in refusal["errors"]] == [(pointer, code)]
    product.refresh_from_db()
    assert (product.attributes, product.version) == ({}, 1)
    assert OutboxEvent.objects.count() == before


def test_attribute_that_products_have_is_not_deleted(attributes: None, staff: Caller) -> None:
    path = f"{ATTRIBUTES}{Attribute.objects.get(key='colour').pk}/"
    product = make_product(attributes={"colour": "red"})

    problem(staff.delete(path), 409, "attribute_in_use")
    delete_product(product_id=product.pk)

    assert staff.delete(path).status_code == 204
    problem(staff.delete(path), 404)


@pytest.mark.django_db(transaction=True)
def test_attribute_is_not_deleted_under_a_product_that_gets_it() -> None:
    """Given a product that has a value but is not committed, the deletion waits for it."""
    attribute = create_attribute(key="colour", type="text", name="Colour")
    outcome: list[str] = []

    def delete() -> None:
        try:
            delete_attribute(attribute_id=attribute.pk)
            outcome.append("deleted")
        except AttributeInUse:
            outcome.append("in use")
        finally:
            connection.close()

    with transaction.atomic():
        check_attributes({"colour": "red"})
        deletion = threading.Thread(target=delete)
        deletion.start()
        make_product(attributes={"colour": "red"})
    deletion.join(timeout=30)

    assert outcome == ["in use"]
    assert Product.objects.get().attributes == {"colour": "red"}


def test_filter_by_attributes_takes_any_value_of_a_key_and_all_keys(
    attributes: None, found: Callable[[str], list[str]]
) -> None:
    rows: list[dict[str, Any]] = [
        {"colour": "red", "height": 5},
        {"colour": "dark red, matt", "height": 12.5, "is_foldable": True},
        {"colour": "blue", "height": 20, "is_foldable": False},
        {},
    ]
    for number, values in enumerate(rows):
        make_product(name=str(number), price=Decimal(number + 1), attributes=values)

    assert found("colour:red") == ["0"]
    assert found("colour:red,colour:blue") == ["0", "2"]
    assert found("colour:red,is_foldable:true") == []
    assert found(r"colour:dark red\, matt") == ["1"]
    assert found("height:12.50") == ["1"]
    assert found("height:10..") == ["1", "2"]
    assert found("height:..12.5") == ["0", "1"]
    assert found("height:6..19,is_foldable:true") == ["1"]
    assert found("is_foldable:false") == ["2"]


@pytest.mark.parametrize(
    "terms",
    [
        "colour", "colour:", ":red", "colour:red,", ",colour:red", "colour:a,,colour:b",
        "size:L", "height:tall", "height:..", "height:1e5", "height:--1", "is_foldable:yes",
        "Colour:red", "a'b:1", "colour:a\\", ",".join(["colour:a"] * 21),
    ],
)  # fmt: skip
def test_terms_that_say_nothing_are_refused(attributes: None, nobody: Caller, terms: str) -> None:
    problem(nobody.get(f"{PATH}?attributes={quote(terms)}"), 400, "invalid")
