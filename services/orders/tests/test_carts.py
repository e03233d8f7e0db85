"""Carts under concurrency, with time and without their customer."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.api.cart_keys import BY_CART, OPERATION
from orders.errors import CartEmpty
from orders.models import Cart, CartLine, Order
from orders.purges import ANONYMOUS_DAYS, CUSTOMER_DAYS
from orders.services.carts import Holder, add_to_cart, check_out, merge_carts
from orders.services.privacy import forget_user
from servicekit.http.idempotency import IdempotentRequest, perform
from servicekit.operations import purge
from servicekit.testing.races import at_once
from tests.factories import make_product


@pytest.mark.django_db(transaction=True)
def test_additions_at_once_are_all_there() -> None:
    holder = Holder(user_id=uuid7())
    products = [make_product().pk for _ in range(2)]

    def add() -> None:
        for product_id in products:
            for _ in range(5):
                add_to_cart(holder=holder, product_id=product_id, quantity=1)

    at_once(*[add] * 4)

    (cart,) = Cart.objects.all()
    assert [line.quantity for line in cart.lines.all()] == [20, 20]
    assert cart.version == 41


@pytest.mark.django_db(transaction=True)
def test_two_checkouts_at_once_are_one_order() -> None:
    user_id = uuid7()
    add_to_cart(holder=Holder(user_id=user_id), product_id=make_product().pk, quantity=1)

    def attempt() -> Any:
        try:
            return check_out(user_id=user_id, if_versions=None)["id"]
        except CartEmpty as empty:
            return empty.members["order_id"]

    ids = at_once(*[attempt] * 4)

    (order,) = Order.objects.all()
    assert {str(each) for each in ids} == {str(order.pk)}


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_get_one_answer() -> None:
    user_id = uuid7()
    add_to_cart(holder=Holder(user_id=user_id), product_id=make_product().pk, quantity=1)
    keyed = IdempotentRequest(user_id, OPERATION, "cart 2", BY_CART)

    def click() -> Any:
        answer = perform(
            keyed,
            lambda: str(check_out(user_id=user_id, if_versions=None)["id"]),
            status=201,
        )
        return answer.body

    assert len(set(at_once(*[click] * 4))) == 1
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_additions_and_checkouts_at_once_lose_no_unit_and_sell_none_twice() -> None:
    user_id, product_id = uuid7(), make_product(price="1.00").pk

    def add() -> None:
        for _ in range(10):
            add_to_cart(holder=Holder(user_id=user_id), product_id=product_id, quantity=1)

    def buy() -> None:
        for _ in range(10):
            try:
                check_out(user_id=user_id, if_versions=None)
            except CartEmpty:
                continue

    at_once(add, add, buy, buy)

    ordered = sum((order.total for order in Order.objects.all()), Decimal(0))
    left = sum(CartLine.objects.values_list("quantity", flat=True))
    assert ordered + left == 20


@pytest.mark.django_db(transaction=True)
def test_merges_at_once_give_the_cart_to_one_customer() -> None:
    users = [uuid7() for _ in range(4)]
    cart_id = add_to_cart(holder=Holder(), product_id=make_product().pk, quantity=3)
    for user_id in users:
        add_to_cart(holder=Holder(user_id=user_id), product_id=make_product().pk, quantity=1)

    at_once(*[partial(merge_carts, user_id=user_id, cart_id=cart_id) for user_id in users])

    assert sorted(cart.lines.count() for cart in Cart.objects.all()) == [1, 1, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_forsaken_carts_are_deleted_with_their_lines() -> None:
    product_id = make_product().pk
    ages = {
        "old, anonymous": (None, ANONYMOUS_DAYS + 1),
        "new, anonymous": (None, ANONYMOUS_DAYS - 1),
        "old": (uuid7(), CUSTOMER_DAYS + 1),
        "new": (uuid7(), CUSTOMER_DAYS - 1),
    }
    carts = {}
    for name, (user_id, days) in ages.items():
        carts[name] = add_to_cart(holder=Holder(user_id=user_id), product_id=product_id, quantity=1)
        updated_at = timezone.now() - timedelta(days=days)
        Cart.objects.filter(pk=carts[name]).update(updated_at=updated_at)

    purge.run(seconds=10)

    assert set(Cart.objects.values_list("pk", flat=True)) == {
        carts["new"], carts["new, anonymous"],
    }  # fmt: skip
    assert CartLine.objects.count() == 2


@pytest.mark.django_db
def test_deleted_account_has_no_cart() -> None:
    users = [uuid7(), uuid7()]
    for user_id in users:
        add_to_cart(holder=Holder(user_id=user_id), product_id=make_product().pk, quantity=1)

    forget_user(user_id=users[0])

    assert [cart.user_id for cart in Cart.objects.all()] == [users[1]]
