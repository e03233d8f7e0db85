"""Files of products go out as they come in: harmless in a spreadsheet, and imported unchanged."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from products.api.exported import csv_lines
from products.file_cells import COLUMNS, escaped, unescaped
from products.models import Product
from products.services.categories import create_category
from products.services.imports.columns import columns_of, members_of
from products.services.imports.records import Place, read_csv
from products.services.products import delete_product
from servicekit.http.fields import UNCLEAN
from servicekit.testing.client import Caller, decoded, problem
from tests.bulk import send_events
from tests.factories import make_product
from tests.test_imports import send

PATH = "/api/products/export/"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=1", "''=1", "'x", "="]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: not UNCLEAN.search(text) and text.strip()
)


def rows(staff: Caller, query: str = "") -> list[dict[str, str]]:
    answer = staff.get(f"{PATH}csv/{query}")
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


@pytest.mark.django_db
def test_export_holds_every_product_that_the_filter_leaves(staff: Caller) -> None:
    lamps = create_category(slug="lamps", name="Lamps")
    make_product(
        name="A", sku="S1", price=Decimal("1.5"), compare_at_price=Decimal(3), category=lamps
    )
    make_product(name="B", active=False, stock=0)
    delete_product(product_id=make_product(name="Gone").pk)

    everything, some = rows(staff), rows(staff, "?category=lamps&in_stock=true")
    as_json = decoded(staff.get(f"{PATH}json/"))

    assert list(everything[0]) == [*COLUMNS, "name:de", "description:de"]
    assert [row["name"] for row in everything] == [row["name"] for row in as_json] == ["A", "B"]
    assert [row["name"] for row in some] == ["A"]
    assert everything[0] | {"slug": ""} == {
        "sku": "S1", "slug": "", "name": "A", "description": "", "price": "1.50",
        "compare_at_price": "3.00", "currency": "GBP", "stock": "10",
        "low_stock_threshold": "0", "active": "true", "category": "lamps",
        "name:de": "", "description:de": "",
    }  # fmt: skip
    assert decoded(staff.get(f"{PATH}json/?search=nothing")) == []


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_export_is_for_staff_and_strict(
    staff: Caller, customer: Caller, nobody: Caller, kind: str
) -> None:
    problem(nobody.get(f"{PATH}{kind}/"), 401)
    problem(customer.get(f"{PATH}{kind}/"), 403)
    problem(staff.get(f"{PATH}{kind}/?page_size=5"), 400)
    problem(staff.get(f"{PATH}{kind}/?min_price=x"), 400)
    problem(staff.get(f"{PATH}{kind}/?format=xml"), 400)
    problem(staff.get(f"{PATH}xml/"), 404)

    answer = staff.get(f"{PATH}{kind}/", Accept="text/html")

    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="products.{kind}"'


@pytest.mark.django_db
def test_no_cell_is_a_formula_and_all_come_back_unchanged(staff: Caller) -> None:
    create_category(slug="lamps", name="Lamps")
    for text in FORMULAS:
        is_name = text.isprintable() and text.strip("'=")
        make_product(name=text if is_name else "x", description=text)
    make_product(name='Semi;colon, "quoted"', description="Größe\u2028\u200d\U0001f600")
    before = list(Product.objects.order_by("id").values())
    file = staff.get(f"{PATH}csv/").content
    send_events()

    ended = send(staff, file)
    again = send(staff, staff.get(f"{PATH}json/").content, "", "application/json")

    for row in csv.reader(io.StringIO(file.decode(), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert (ended["failed"], ended["changed"], ended["created"]) == (0, 0, 0)
    assert (again["failed"], again["changed"], again["created"]) == (0, 0, 0)
    assert ended["done"] == again["done"] == len(before)
    assert list(Product.objects.order_by("id").values()) == before


@given(st.text(max_size=20) | st.text("'=+-@\t\rx", max_size=6))
@settings(max_examples=500, deadline=None)
def test_escaping_is_undone_exactly(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(TEXT, TEXT)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_any_name_and_description_survive_a_file(name: str, description: str) -> None:
    body: dict[str, Any] = dict.fromkeys(COLUMNS, "1") | {"active": True, "category": None}
    body |= {"name": name, "description": description, "translations": {}, "attributes": {}}
    file = b"".join(csv_lines([body]))

    header, line = read_csv(lambda offset: iter([file[offset:]]), Place(), delimiter=",")

    members = members_of(line.content, columns_of(header.content).members)
    assert (members["name"], members["description"]) == (name, description)
    assert (members["active"], members["category"], members["stock"]) == (True, None, 1)
    assert json.dumps(members)


@pytest.mark.django_db
def test_command_exports_what_it_imports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_product(name="=1", sku="A1")
    call_command("bulk_operations", "export")
    file = tmp_path / "products.csv"
    file.write_text(capsys.readouterr().out.replace("'=1", "Better"), newline="")
    send_events()

    call_command("bulk_operations", "import", str(file))
    call_command("bulk_operations", "run")

    assert [product.name for product in Product.objects.all()] == ["Better"]
