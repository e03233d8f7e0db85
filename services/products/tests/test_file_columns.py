"""Files say translations and attributes in columns of their own, each of its type."""

import csv
import io
from typing import Any

import pytest

from products.models import BulkError, Product
from products.services.attributes import create_attribute
from servicekit.testing.client import Caller
from tests.bulk import send_events
from tests.factories import make_product
from tests.test_imports import send

EXPORT = "/api/products/export/"
GERMAN = {"de": {"name": "Laterne", "description": "Aus Blech"}}
VALUES = {"colour": "white", "height": 12.5, "is_foldable": True}


@pytest.fixture(autouse=True)
def _attributes(db: None) -> None:
    create_attribute(key="colour", type="text", name="Colour")
    create_attribute(key="height", type="number", name="Height", unit="cm")
    create_attribute(key="is_foldable", type="boolean", name="Foldable")


def columns(**cells: str) -> str:
    """Return a file of a line."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(name.replace("__", ":") for name in cells)
    writer.writerow(cells.values())
    return file.getvalue()


def refused() -> list[tuple[str, str]]:
    return list(BulkError.objects.order_by("id").values_list("code", "pointer"))


def test_new_product_gets_what_its_columns_say(staff: Caller) -> None:
    file = columns(
        sku="A1", name="Lantern", price="3", currency="GBP", name__de="Laterne",
        description__de="Aus Blech", attribute__colour="white", attribute__height="12.5",
        attribute__is_foldable="Yes",
    )  # fmt: skip

    assert send(staff, file)["created"] == 1

    product = Product.objects.get()
    assert (product.translations, product.attributes) == (GERMAN, VALUES)


def test_columns_keep_what_they_are_not_about_and_empty_cells_take_away(staff: Caller) -> None:
    product = make_product(sku="A1", translations=GERMAN, attributes=VALUES)
    send_events()

    ended = send(staff, columns(sku="A1", name__de="Lampe", attribute__height=" "))

    product.refresh_from_db()
    assert ended["changed"] == 1
    assert product.translations == {"de": {"name": "Lampe", "description": "Aus Blech"}}
    assert product.attributes == {"colour": "white", "is_foldable": True}


def test_cells_that_a_line_lacks_say_nothing(staff: Caller) -> None:
    product = make_product(sku="A1", attributes=VALUES)
    send_events()

    ended = send(staff, "sku,attribute:height,attribute:colour\r\nA1,13\r\n")

    product.refresh_from_db()
    assert (ended["changed"], product.attributes) == (1, {**VALUES, "height": 13})


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("attribute__height", "tall", ("wrong_type", "/attributes/height")),
        ("attribute__height", "1e400", ("invalid", "/attributes")),
        ("attribute__is_foldable", "perhaps", ("wrong_type", "/attributes/is_foldable")),
        ("attribute__weight", "3", ("unknown_attribute", "/attributes/weight")),
        ("name__de", "x" * 201, ("max_length", "/translations/de/name")),
    ],
)
def test_cell_that_is_no_value_is_reported(
    staff: Caller, column: str, cell: str, reason: tuple[str, str]
) -> None:
    product = make_product(sku="A1", attributes=VALUES)
    send_events()

    ended = send(staff, columns(sku="A1", **{column: cell}))

    product.refresh_from_db()
    assert (ended["failed"], refused()) == (1, [reason])
    assert (product.attributes, product.version) == (VALUES, 1)


def test_unknown_languages_and_bad_keys_are_ignored_columns(staff: Caller) -> None:
    make_product(sku="A1")
    send_events()

    ended = send(staff, "sku,name:fr,attribute:Grö ße,attribute:\r\nA1,x,y,z\r\n")

    assert ended["parameters"]["ignored_columns"] == ["name:fr", "attribute:Grö ße", "attribute:"]
    assert (ended["changed"], ended["failed"]) == (0, 0)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_export_comes_back_unchanged(staff: Caller, kind: str) -> None:
    for attributes in (VALUES, {"height": -1e-7}, {"height": 2**53, "colour": "=1"}, {}):
        make_product(translations=GERMAN if attributes else {}, attributes=attributes)
    before: list[dict[str, Any]] = list(Product.objects.order_by("id").values())
    file = staff.get(f"{EXPORT}{kind}/").content
    send_events()

    ended = send(staff, file, "", "text/csv" if kind == "csv" else "application/json")

    assert (ended["done"], ended["failed"], ended["changed"]) == (4, 0, 0)
    assert list(Product.objects.order_by("id").values()) == before
