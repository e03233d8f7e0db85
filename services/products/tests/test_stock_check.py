"""The self-check finds what no code of ours can do, and changes nothing."""

import logging

import pytest
from django.core.management import CommandError, call_command

from products import tasks
from products.models import Product, StockAlert
from products.services.products import delete_product
from products.services.stock_check import Difference, find_differences
from tests.factories import make_product


@pytest.mark.django_db
def test_shop_in_order_has_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    make_product(stock=3)
    make_product(stock=0)

    call_command("check_stock")

    assert "is the sum of its ledger" in capsys.readouterr().out
    assert tasks.check_stock() == 0


@pytest.mark.django_db
def test_stock_that_is_not_its_ledger_is_told_and_left(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    product, _ = make_product(stock=3), make_product()
    Product.objects.filter(pk=product.pk).update(stock=5)

    with caplog.at_level(logging.ERROR), pytest.raises(CommandError, match="1 differ"):
        call_command("check_stock")

    assert f"{product.pk}  stock 5, ledger 3" in capsys.readouterr().out
    assert [record.product for record in caplog.records] == [str(product.pk)]
    product.refresh_from_db()
    assert product.stock == 5
    assert tasks.check_stock() == 1


@pytest.mark.django_db
def test_alert_of_a_stock_that_is_not_low_is_told() -> None:
    product = make_product(stock=3)
    StockAlert.objects.create(product=product, stock=0, threshold=1)

    assert find_differences() == [
        Difference(product.pk, "an alert is open at stock 3, threshold 0")
    ]


@pytest.mark.django_db
def test_low_stock_without_an_alert_is_told() -> None:
    product = make_product(stock=3, low_stock_threshold=3)
    StockAlert.objects.all().delete()

    assert find_differences() == [
        Difference(product.pk, "no alert is open at stock 3, threshold 3")
    ]


@pytest.mark.django_db
def test_alert_that_outlived_its_reason_is_told() -> None:
    product = make_product(stock=3, low_stock_threshold=3)
    Product.objects.filter(pk=product.pk).update(low_stock_threshold=2)

    assert find_differences() == [
        Difference(product.pk, "an alert is open at stock 3, threshold 2")
    ]


@pytest.mark.django_db
def test_deleted_product_needs_no_alert() -> None:
    product = make_product(stock=3, low_stock_threshold=3)
    delete_product(product_id=product.pk)

    assert find_differences() == []


@pytest.mark.django_db
def test_all_products_are_looked_at_batch_by_batch() -> None:
    products = [make_product() for _ in range(7)]
    Product.objects.update(stock=99)

    assert [each.product_id for each in find_differences(at_once=3)] == sorted(
        product.pk for product in products
    )
