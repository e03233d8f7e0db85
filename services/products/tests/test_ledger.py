"""The whole ledger of a stock, in pages: for staff."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from uuid_utils.compat import uuid7

from products.models import Product, StockMovement
from products.services.stock import adjust_stock
from servicekit.testing.client import Caller, decoded, problem
from tests.factories import make_product

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def path_of(product: Product, **query: str) -> str:
    return f"/api/products/{product.pk}/stock/movements/?{urlencode(query)}".removesuffix("?")


def pages_of(staff: Caller, path: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while path:
        page = decoded(staff.get(path))
        rows += page["results"]
        path = page["next"]
    return rows


def forged(number: object) -> str:
    raw = json.dumps(["-id", str(number), number]).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.django_db
def test_pages_hold_the_whole_ledger_newest_first(staff: Caller) -> None:
    product, other = make_product(stock=1), make_product(stock=7)
    for delta in range(1, 12):
        adjust_stock(product_id=product.pk, delta=delta, reason="delivery", by=staff.id)
    adjust_stock(product_id=other.pk, delta=1, reason="delivery", by=staff.id)

    rows = pages_of(staff, path_of(product, page_size="5"))

    assert [row["quantity"] for row in rows] == [*range(11, 0, -1), 1]
    assert rows[-1]["kind"] == "initial"
    assert rows[0] == decoded(staff.get(f"/api/products/{product.pk}/stock/"))["results"][0]


@pytest.mark.django_db
def test_rows_that_come_meanwhile_move_no_others(staff: Caller) -> None:
    product = make_product(stock=1)
    for _ in range(5):
        adjust_stock(product_id=product.pk, delta=1, reason="delivery", by=staff.id)

    first = decoded(staff.get(path_of(product, page_size="3")))
    adjust_stock(product_id=product.pk, delta=9, reason="delivery", by=staff.id)
    rest = pages_of(staff, first["next"])

    ids = [row["id"] for row in first["results"] + rest]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 6


@pytest.mark.django_db
def test_filters_find_kinds_and_times(staff: Caller) -> None:
    product = make_product(stock=4)
    for day in range(3):
        adjust_stock(product_id=product.pk, delta=1 + day, reason="delivery", by=staff.id)
        newest = StockMovement.objects.order_by("-id")[:1].values("id")
        StockMovement.objects.filter(pk__in=newest).update(at=NOON + timedelta(days=day))
    StockMovement.objects.filter(kind="initial").update(at=NOON - timedelta(days=1))

    def found(**query: str) -> list[int]:
        return [row["quantity"] for row in pages_of(staff, path_of(product, **query))]

    assert found(kind="initial") == [4]
    assert found(kind="adjustment", page_size="1") == [3, 2, 1]
    assert found(kind="release") == []
    assert found(**{"from": "2026-11-28T12:00:00Z"}) == [3, 2]
    assert found(to="2026-11-28T13:00:00+01:00") == [1, 4]
    assert found(**{"from": "2026-11-27T12:00:00.000Z", "to": "2026-11-28T12:00:00Z"}) == [1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        {"kind": "sold"}, {"kind": ""}, {"kind": "RELEASE"}, {"from": "yesterday"},
        {"from": "2026-11-27"}, {"from": "2026-11-27T12:00:00"}, {"to": "2026-W48-5T12:00:00Z"},
        {"to": "2026-11-31T12:00:00Z"}, {"to": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"}, {"to": "2026-11-27T12:00:00Z\0"},
        {"from": "2026-11-28T12:00:00Z", "to": "2026-11-27T12:00:00Z"},
        {"since": "2026-11-28T12:00:00Z"}, {"ordering": "id"}, {"page_size": "0"},
        {"page_size": "101"}, {"cursor": "x"}, {"cursor": forged(-1)}, {"cursor": forged(2**63)},
        {"cursor": forged("9" * 900)}, {"cursor": forged(None)}, {"cursor": forged([1])},
        {"cursor": forged(str(uuid7()))},
    ],
)  # fmt: skip
def test_parameter_that_says_nothing_is_400(staff: Caller, query: dict[str, str]) -> None:
    problem(staff.get(path_of(make_product(), **query)), 400)


@pytest.mark.django_db
def test_ledger_is_for_staff(staff: Caller, customer: Caller, nobody: Caller) -> None:
    path = path_of(make_product())

    problem(nobody.get(path), 401)
    problem(customer.get(path), 403)
    problem(staff.get(f"/api/products/{uuid7()}/stock/movements/"), 404, "not_found")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        problem(staff.call(method, path, {}), 405)
