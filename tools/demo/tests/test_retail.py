"""The plan of a file: what becomes a product, a customer, an order, a return; and that it all adds
up.
"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.lines import parse_retail
from demo.retail import email_of, key_of, plan_replay, slug_of

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def row(invoice="536365", code="85123A", name="HEART", quantity=6, price="2.55", customer="17850"):
    return f"{invoice},{code},{name},{quantity},12/1/2010 8:26,{price},{customer},United Kingdom\n"


def plan_of(*rows, stock=None):
    plan = plan_replay(parse_retail((HEADER + "".join(rows)).encode()), stock=stock)
    assert plan.sums_up()
    return plan


def test_lines_of_one_code_are_summed_and_counted():
    plan = plan_of(row(quantity=2), row(code="22633", quantity=1), row(quantity=3))

    (order,) = plan.orders
    assert order.units == (("85123A", 5), ("22633", 1))
    assert (order.key, order.line_count, order.customer) == ("536365", 3, "customer 17850")


def test_product_has_its_most_frequent_price_and_name_and_enough_stock():
    plan = plan_of(
        row(price="2.95", name="OLD"),
        row(invoice="2"),
        row(invoice="3"),
        row(invoice="C4", quantity=-1, price="9"),
    )

    (product,) = plan.products
    assert (product.name, product.price, product.stock) == ("HEART", Decimal("2.55"), 28)
    assert plan_of(row(), stock=50).products[0].stock == 50


@pytest.mark.parametrize(
    "code", ["POST", "M", "D", "C2", "DOT", "BANK CHARGES", "gift_0001_20", "1234", "123456"]
)
def test_code_that_is_no_product_is_left_out_and_told(code):
    plan = plan_of(row(), row(invoice="2", code=code))

    assert [each.reason for each in plan.skipped_lines] == ["code is no product"]
    assert [each.what for each in plan.skipped_codes] == [code]
    assert [each.what for each in plan.skipped_invoices] == ["2"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "0"}, "price is not positive"),
        ({"price": "-11062.06"}, "price is not positive"),
        ({"price": "0.001"}, "price is not positive"),
        ({"price": "99999999999"}, "price is too high"),
        ({"quantity": 0}, "quantity is not positive"),
        ({"quantity": -5}, "quantity is not positive"),
        ({"quantity": 1_000_001}, "quantity is too high"),
        ({"invoice": "C536365", "quantity": 5}, "quantity is positive on a return"),
    ],
)
def test_line_that_makes_no_sense_is_left_out_with_its_reason(changes, reason):
    plan = plan_of(row(invoice="1", code="22633"), row(**changes))

    assert [each.reason for each in plan.skipped_lines] == [reason]
    assert len(plan.orders) == 1


def test_codes_are_told_apart_by_case():
    plan = plan_of(row(code="85099B"), row(code="85099b"))

    assert [each.code for each in plan.products] == ["85099B", "85099b"]
    assert len({each.slug for each in plan.products}) == 2


def test_invoice_without_customer_has_a_buyer_of_its_own():
    plan = plan_of(
        row(invoice="1", customer=""),
        row(invoice="2", customer=""),
        row(invoice="3"),
        row(invoice="4"),
    )

    assert [each.email for each in plan.customers] == [
        "invoice-1@retail.example",
        "invoice-2@retail.example",
        "17850@retail.example",
    ]


def test_return_of_exactly_an_earlier_order_cancels_it_once():
    plan = plan_of(
        row(invoice="1", quantity=6),
        row(invoice="C2", quantity=-6),
        row(invoice="C3", quantity=-6),
        row(invoice="C4", quantity=-2),
        row(invoice="5", quantity=2, customer="1"),
        row(invoice="C6", quantity=-2, customer="2"),
    )

    assert [(each.invoice, each.cancels) for each in plan.returns] == [
        ("C2", "1"),
        ("C3", None),
        ("C4", None),
        ("C6", None),
    ]


def test_invoice_with_more_products_than_an_order_may_have_becomes_two():
    plan = plan_of(*(row(code=str(10000 + number)) for number in range(1001)))

    assert [(each.key, len(each.units)) for each in plan.orders] == [
        ("536365", 1000),
        ("536365/2", 1),
    ]


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_slugs_and_addresses_of_different_ids_differ(left, right):
    if left != right:
        assert slug_of(left) != slug_of(right)
        assert email_of(left) != email_of(right)


@given(st.text(min_size=1, max_size=300))
def test_key_always_fits_a_header(invoice):
    assert key_of(invoice).isascii()
    assert 1 <= len(key_of(invoice)) <= 255
    assert " " not in key_of(invoice)


@given(st.binary(max_size=2000))
def test_any_bytes_make_a_plan_that_adds_up(content):
    plan = plan_replay(parse_retail(HEADER.encode() + content))

    assert plan.sums_up()
