"""Files of products: each line is made a product as the API would, or reported."""

import io
import json
from typing import Any

import pytest
from django.test import RequestFactory

from products.api.batches import batches
from products.api.import_viewsets import ImportViewSet
from products.models import BulkError, BulkOperation, ImportChunk, Product
from products.services.bulk import running
from products.services.categories import create_category
from products.services.imports import receiving, records
from products.services.stock import adjust_stock
from servicekit.http.problems import InvalidInput
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.bulk import finish, send_events
from tests.factories import make_product

PATH = "/api/products/import/"
HEADER = "sku,name,price,currency\n"
#: In the columns of the UCI Online Retail set, with the dirt of its first days.
RETAIL = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,12/1/2010 8:26,3.39,17850,United Kingdom
536370,POST,POSTAGE,3,12/1/2010 8:45,18,12583,France
536373,85123A,WHITE HANGING HEART,6,12/1/2010 9:02,2.55,17850,United Kingdom
C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom
536390,71053,WHITE METAL LANTERN,64,12/1/2010 10:19,2.95,17511,United Kingdom
536414,22139,,56,12/1/2010 11:52,0,,United Kingdom
536544,22139,RETRO SPOT TEA SET,1,12/1/2010 14:32,8.47,,United Kingdom
537000,22734,amazon,20,12/3/2010 15:15,0,,United Kingdom
537001,21275,?,-10,12/3/2010 15:30,0,,United Kingdom
A563185,84970S,HANGING HEART,1,8/12/2011 14:50,-11.62,,United Kingdom
536000,BANK CHARGES,Bank charges,1,12/1/2010 14:32,15,,United Kingdom
"""


def run() -> None:
    running.run_unfinished(seconds=0.3, batches=batches())


def send(
    staff: Caller, file: bytes | str, query: str = "", content_type: str = "text/csv"
) -> dict[str, Any]:
    """Import a file to its end; return the operation as it ended."""
    raw = file.encode() if isinstance(file, str) else file
    answer = staff.post(f"{PATH}{query}", raw=raw, content_type=content_type)
    decoded(answer, 202)
    finish(run)
    ended: dict[str, Any] = decoded(staff.get(answer["Location"]))
    assert ended["state"] == "done", ended
    return ended


def errors() -> list[tuple[int | None, str, str]]:
    rows = BulkError.objects.order_by("id")
    return list(rows.values_list("line", "code", "pointer"))


@pytest.mark.django_db
def test_lines_make_change_and_leave_products(staff: Caller) -> None:
    create_category(slug="lamps", name="Lamps")
    same = make_product(sku="A1", name="Same", price="1.00")
    other = make_product(sku="A2", name="Other", price="2.00", stock=4)
    send_events()
    file = (
        "SKU;Name;Price;Currency;Category;Stock;Active;Note\r\n"
        "A1;Same;1.00;GBP;;;;x\r\n"
        'A2;"Other; better";2.5;GBP;lamps;99;yes;x\r\n'
        "A3;New;3;EUR;lamps;7;0;x\r\n"
    )

    ended = send(staff, file)

    other.refresh_from_db()
    same.refresh_from_db()
    new = Product.objects.get(sku="A3")
    assert (ended["created"], ended["changed"], ended["failed"], ended["done"]) == (1, 1, 0, 3)
    assert ended["total"] == 3
    assert ended["parameters"]["delimiter"] == ";"
    assert ended["parameters"]["ignored_columns"] == ["Note"]
    assert (same.version, other.version, other.stock) == (1, 2, 4)
    assert (other.name, str(other.price)) == ("Other; better", "2.50")
    assert (new.stock, new.active, new.slug, new.currency) == (7, False, "new", "EUR")
    assert {event["subject"] for event in outbox_events() if event["sequence"] == 2} == {
        str(other.pk)
    }
    assert OutboxEvent.objects.filter(sent_at=None).count() == 2


@pytest.mark.django_db
def test_dry_run_reports_all_and_writes_nothing(staff: Caller) -> None:
    product = make_product(sku="A1", name="Old", price="1.00")
    send_events()
    lines = "".join(f"B{n},New {n},2.00,GBP\n" for n in range(150))
    file = f"{HEADER}A1,Changed,1.00,GBP\n{lines}B1,New 1,2.00,GBP\nB2,Another,2.00,GBP\n,x,1,GBP\n"

    dry = send(staff, file, "?dry_run=true")
    product.refresh_from_db()
    was = (product.name, Product.objects.count(), OutboxEvent.objects.filter(sent_at=None).count())
    wet = send(staff, file)

    names = ("created", "changed", "repeated", "failed", "done")
    assert was == ("Old", 1, 0)
    assert [dry[name] for name in names] == [wet[name] for name in names] == [150, 1, 1, 2, 154]
    assert Product.objects.count() == 151
    assert errors() == [(154, "conflicting_line", ""), (155, "no_key", "")] * 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "code", "pointer"),
    [
        ("A1,,1.00,GBP", "blank", "/name"),
        ("A1,?,1.00,GBP", "not_a_name", "/name"),
        ("A1,x,-1,GBP", "invalid", "/price"),
        ("A1,x,0,GBP", "free", "/price"),
        ("A1,x,,GBP", "invalid", "/price"),
        ("A1,x,1.234,GBP", "invalid", "/price"),
        ('A1,x,"1,00",GBP', "invalid", "/price"),
        ("A1,x,\uff11,GBP", "invalid", "/price"),
        ("A1,x,NaN,GBP", "invalid", "/price"),
        ("A1,x,1.00,gbp", "invalid_choice", "/currency"),
        ("A1,x,1.00,", "required", "/currency"),
        ("A 1,x,1.00,GBP", "invalid_sku", "/sku"),
        ("A1,x\0y,1.00,GBP", "unclean", "/name"),
        ("A1\0,x,1.00,GBP", "unclean", "/sku"),
        ("A1,x\u202ey,1.00,GBP", "unclean", "/name"),
        (f"A1,{'x' * 201},1.00,GBP", "max_length", "/name"),
        ("A1,x,1.00,GBP,more", "too_many_cells", ""),
        ("A1,x", "required", "/price"),
        (f"A1,{'x' * 300_000},1.00,GBP", "line_too_long", ""),
        (f'A1,"{"x" * 300_000}', "line_too_long", ""),
    ],
)
def test_line_that_is_no_product_is_reported_and_the_next_is_read(
    staff: Caller, line: str, code: str, pointer: str
) -> None:
    ended = send(staff, f"{HEADER}{line}\nB1,Good,1.00,GBP\n")

    assert errors()[0] == (2, code, pointer)
    assert (ended["failed"], ended["created"]) == (1, 1)
    assert [product.name for product in Product.objects.all()] == ["Good"]


@pytest.mark.django_db
def test_quotation_mark_that_is_not_closed_costs_its_own_line_only(staff: Caller) -> None:
    lines = "".join(f"B{n},Good {n},1.00,GBP,{'x' * 9_000}\n" for n in range(40))

    ended = send(staff, f'sku,name,price,currency,description\nA1,"Open,1,GBP,\n{lines}')

    assert errors() == [(2, "line_too_long", "")]
    assert (ended["created"], ended["done"]) == (40, 41)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("encoding", "name", "found"),
    [
        ("utf-8", "Größe", "utf-8"),
        ("utf-8-sig", "Größe", "utf-8-sig"),
        ("utf-16", "Größe", "utf-16"),
        ("utf-16-le", "Größe", "utf-16-le"),
        ("utf-16-be", "Größe", "utf-16-be"),
        ("cp1252", "Größe zu 5 €", "cp1252"),
        ("ascii", "Size", "ascii"),
    ],
)
def test_encoding_is_found(staff: Caller, encoding: str, name: str, found: str) -> None:
    # So long that it comes in several pieces, and letters lie across their ends.
    rest = "".join(f"B{n},{name} {n},1.00,GBP,{name * 800}\n" for n in range(30))
    rows = f"sku,name,price,currency,description\n{rest}"

    ended = send(staff, rows.encode(encoding))

    assert ended["parameters"]["encoding"] == found
    assert ended["created"] == 30
    assert {product.description for product in Product.objects.all()} == {name * 800}


@pytest.mark.django_db
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_when_it_is_asked_for(staff: Caller, encoding: str) -> None:
    file = (HEADER + "A1,Größe,1.00,GBP\n").encode(
        "utf-16-be" if encoding == "utf-16" else encoding
    )

    ended = send(staff, file, "?encoding=utf-16")
    nonsense = staff.call("POST", f"{PATH}?encoding=utf-16", raw=b"00", content_type="text/csv")

    assert (ended["created"], Product.objects.get().name) == (1, "Größe")
    problem(nonsense, 400, "invalid")


@pytest.mark.django_db
def test_bytes_of_another_encoding_are_reported_line_by_line(staff: Caller) -> None:
    file = HEADER.encode() + "A1,Größe,1.00,GBP\n".encode() + b"A2,Gr\xf6\xdfe,1.00,GBP\n"

    ended = send(staff, file + b"A3,plain,1.00,GBP\n", "?encoding=utf-8")

    assert ended["created"] == 2
    assert errors() == [(3, "unreadable_text", "")]


@pytest.mark.django_db
def test_json_is_imported_element_by_element(staff: Caller) -> None:
    good = {"sku": "A1", "name": 'A "[{" \\ lamp', "price": "1.00", "currency": "GBP", "stock": 2}
    file = (
        f" [ {json.dumps(good)} , {json.dumps({**good, 'sku': 'A2', 'stock': '2'})},\n\n"
        '{"sku": "A3", "sku": "A3"}, 7, {"sku" "x"}, {"sku": "A4", "name": "\\ud800"},'
        f"{json.dumps({**good, 'sku': 'A5', 'color': 'red'})}, {json.dumps({**good, 'sku': 'A6'})}]"
    )

    ended = send(staff, file, content_type="application/json")

    assert (ended["created"], ended["failed"], ended["done"]) == (2, 6, 8)
    assert [(line, code) for line, code, _ in errors()] == [
        (2, "invalid"),
        (3, "unreadable_line"),
        (4, "not_an_object"),
        (5, "unreadable_line"),
        (6, "unreadable_line"),
        (7, "unknown_member"),
    ]
    assert Product.objects.get(sku="A1").name == 'A "[{" \\ lamp'


@pytest.mark.django_db
def test_array_that_is_cut_off_or_bombs_is_reported(staff: Caller) -> None:
    good = json.dumps({"sku": "A1", "name": "x", "price": "1.00", "currency": "GBP"})
    deep = "[" * 1000 + "]" * 1000

    ended = send(
        staff, f'[{good}, "{"x" * 400_000}", {deep}, {good}, {{"sku":', "", "application/json"
    )

    assert [(line, code) for line, code, _ in errors()] == [
        (2, "line_too_long"),
        (3, "unreadable_line"),
        (5, "cut_off"),
    ]
    assert (ended["created"], ended["repeated"]) == (1, 1)


@pytest.mark.django_db
def test_json_lines_are_imported(staff: Caller) -> None:
    good = json.dumps({"sku": "A1", "name": "x", "price": "1.00"})

    ended = send(staff, f"{good}\n\n[]\nrubbish\n", "?currency=EUR", "application/x-ndjson")

    assert [(line, code) for line, code, _ in errors()] == [
        (3, "not_an_object"),
        (4, "unreadable_line"),
    ]
    assert ended["created"] == 1
    assert Product.objects.get().currency == "EUR"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("file", "query", "content_type", "status"),
    [
        (" \n", "", "text/csv", 400),
        ("name,price\nx,1\n", "", "text/csv", 400),
        ("sku,StockCode,name\n1,1,1\n", "", "text/csv", 400),
        ("x" * 300_000, "", "text/csv", 400),
        ("{}", "", "application/json", 400),
        (" ", "", "application/json", 400),
        (HEADER, "?dry_run=yes", "text/csv", 400),
        (HEADER, "?currency=gbp", "text/csv", 400),
        (HEADER, "?encoding=utf-7", "text/csv", 400),
        (HEADER, "?delimiter=x", "text/csv", 400),
        (HEADER, "?color=red", "text/csv", 400),
        (HEADER, "?dry_run=true&dry_run=false", "text/csv", 400),
        (HEADER, "", "text/html", 415),
    ],
)
def test_file_that_cannot_be_one_is_refused_at_once(
    staff: Caller, file: str, query: str, content_type: str, status: int
) -> None:
    problem(staff.post(f"{PATH}{query}", raw=file.encode(), content_type=content_type), status)

    assert not BulkOperation.objects.exists()
    assert not ImportChunk.objects.exists()


@pytest.mark.django_db
def test_file_with_500_columns_is_read_and_only_staff_import(
    staff: Caller, customer: Caller, nobody: Caller
) -> None:
    header = ",".join(["sku", "name", "price", "currency", *(f"c{n}" for n in range(500))])
    file = f"{header}\nA1,x,1.00,GBP{',y' * 500}\n"

    problem(customer.post(PATH, raw=file.encode(), content_type="text/csv"), 403)
    problem(nobody.post(PATH, raw=file.encode(), content_type="text/csv"), 401)
    ended = send(staff, file)

    assert ended["created"] == 1
    assert len(ended["parameters"]["ignored_columns"]) == 50
    assert BulkOperation.objects.count() == 1


@pytest.mark.usefixtures("test_keys")
def test_refused_file_is_read_to_its_end() -> None:
    """Else the gateway, which passes it on as it comes, would take the refusal for an outage."""
    request = RequestFactory().post(PATH, b"x" * 3_000_000, content_type="text/csv")

    answer = ImportViewSet.as_view({"post": "create"})(request)

    assert answer.status_code == 401
    assert request.read() == b""


@pytest.mark.django_db
def test_body_that_ends_early_is_refused_and_nothing_is_kept() -> None:
    options = receiving.FileOptions(format="csv")
    file = io.BytesIO(HEADER.encode() * 50_000)

    with pytest.raises(InvalidInput):
        receiving.receive_file(read=file.read, size=5_000_000, options=options)

    assert not ImportChunk.objects.exists()
    assert not BulkOperation.objects.exists()


@pytest.mark.django_db
def test_refusals_of_the_shop_are_reported_like_those_of_the_api(staff: Caller) -> None:
    make_product(slug="taken", sku="A1")
    full = make_product(sku="A2", price="5.00", compare_at_price=None)
    adjust_stock(product_id=full.pk, delta=1, reason="more", by=staff.id)
    file = (
        "sku,slug,name,price,currency,active,compare_at_price\n"
        "A2,taken,x,1.00,GBP,true,\n"
        "A2,,x,1.00,GBP,false,\n"
        "B1,,x,1.00,GBP,true,1.00\n"
    )

    send(staff, file)

    assert errors() == [
        (2, "slug_taken", ""),
        (3, "product_has_stock", ""),
        (4, "not_above_price", "/compare_at_price"),
    ]
    full.refresh_from_db()
    assert full.version == 1


@pytest.mark.django_db
def test_online_retail_is_imported_with_its_dirt_reported(staff: Caller) -> None:
    dry = send(staff, RETAIL, "?currency=GBP&dry_run=true")
    assert not Product.objects.exists()
    ended = send(staff, RETAIL, "?currency=GBP")

    counts = {"created": 3, "changed": 0, "repeated": 1, "failed": 8, "done": 12, "total": 12}
    assert {name: dry[name] for name in counts} == counts
    assert {name: ended[name] for name in counts} == counts
    assert ended["parameters"]["ignored_columns"] == [
        "InvoiceNo", "Quantity", "InvoiceDate", "CustomerID", "Country"
    ]  # fmt: skip
    assert [(product.sku, str(product.price)) for product in Product.objects.order_by("id")] == [
        ("85123A", "2.55"), ("71053", "3.39"), ("22139", "8.47")
    ]  # fmt: skip
    assert errors()[8:] == [
        (4, "not_a_product", "/sku"),
        (6, "not_a_product", "/sku"),
        (7, "conflicting_line", ""),
        (8, "blank", "/name"),
        (10, "free", "/price"),
        (11, "not_a_name", "/name"),
        (12, "invalid", "/price"),
        (13, "not_a_product", "/sku"),
    ]


def test_records_of_any_cut_are_the_same() -> None:
    """However the pieces are cut, and wherever reading begins again."""
    file = b'a,"b\nc"\n\n"d ""e",f\n' * 5

    def source(size: int) -> Any:
        return lambda offset: (
            file[at : at + size] for at in range(offset, len(file), size) if file[at:]
        )

    whole = list(records.read_csv(source(1000), records.Place(), delimiter=","))
    for size in range(1, 9):
        again = list(records.read_csv(source(size), records.Place(), delimiter=","))
        assert again == whole
    for at, record in enumerate(whole):
        assert list(records.read_csv(source(3), record.next, delimiter=",")) == whole[at + 1 :]


def test_elements_of_any_cut_are_the_same() -> None:
    file = rb'{"a": "x\"]\\"} , [1, {"b": []}],2 ,"\\\\"]'

    def source(size: int) -> Any:
        return lambda offset: (file[at : at + size] for at in range(offset, len(file), size))

    def read(size: int, place: records.Place) -> list[tuple[Any, Any, Any]]:
        found = records.read_json_array(source(size), place)
        return [(each.line, each.next, each.content) for each in found]

    whole = read(1000, records.Place())
    assert len(whole) == 4
    for size in range(1, 9):
        assert read(size, records.Place()) == whole
        for at, (_, following, _) in enumerate(whole[:-1]):
            assert read(size, following) == whole[at + 1 :]


def test_pieces_are_larger_than_a_record() -> None:
    assert receiving.CHUNK_BYTES >= records.MAX_RECORD_BYTES
