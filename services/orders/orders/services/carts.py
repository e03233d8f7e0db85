"""Carts: put in, change, take out, merge at log-in, and check out.

Every change locks the cart's row first, so that changes of one cart come one after the other, and
raises its version.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from orders.errors import (
    CartEmpty,
    CartTooLarge,
    NotInCart,
    ProductUnavailable,
    StaleCart,
    TooManyUnitsInCart,
)
from orders.models import MAX_QUANTITY, Cart, CartLine, CatalogueProduct
from orders.services.placement import NO_TERMS, OrderItem, Terms, place_order

#: Lines of a cart; an order may have more, a person's basket has not.
MAX_CART_LINES = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose cart: a customer's, or that of a cookie; of neither, there is no cart yet."""

    user_id: UUID | None = None
    cart_id: UUID | None = None


def add_to_cart(
    *, holder: Holder, product_id: UUID, quantity: int, if_versions: Collection[int] | None = None
) -> UUID:
    """Put units of a product into the cart, which is made if there is none; return the cart's id.

    Raises:
        ProductUnavailable: it is not for sale.
        CartTooLarge: the cart has `MAX_CART_LINES` other products.
        TooManyUnitsInCart: together they would be more than an order may have.
        StaleCart: the cart's version is not among `if_versions`.
    """
    with transaction.atomic():
        cart = _locked(holder, if_versions) or _new_cart(holder)
        price = _price(product_id)
        line = CartLine.objects.filter(cart=cart, product_id=product_id).first()
        if line is None:
            line = _new_line(cart, product_id)
        line.quantity += quantity
        line.price_when_added = price
        _check_quantity(line)
        line.save()
        _touch(cart)
    return cart.pk


def set_quantity(
    *, holder: Holder, product_id: UUID, quantity: int, if_versions: Collection[int] | None = None
) -> None:
    """Set how many units of a product the cart has.

    Raises:
        NotInCart: it has none.
        StaleCart: the cart's version is not among `if_versions`.
    """
    with transaction.atomic():
        cart = _locked(holder, if_versions)
        lines = CartLine.objects.filter(cart=cart, product_id=product_id)
        if cart is None or not lines.update(quantity=quantity):
            raise NotInCart("The cart does not have this product.")
        _touch(cart)


def remove_from_cart(
    *, holder: Holder, product_ids: Collection[UUID] | None, if_versions: Collection[int] | None
) -> None:
    """Take products out of the cart, or everything with None; what is not there is out already.

    Raises:
        StaleCart: the cart's version is not among `if_versions`.
    """
    with transaction.atomic():
        cart = _locked(holder, if_versions)
        if cart is None:
            return
        lines = CartLine.objects.filter(cart=cart)
        if product_ids is not None:
            lines = lines.filter(product_id__in=product_ids)
        if lines.delete()[0]:
            _touch(cart)


def merge_carts(*, user_id: UUID, cart_id: UUID) -> None:
    """Put what the anonymous cart holds into the customer's, and delete it.

    Of a product in both, the larger quantity stays: whoever put it in twice means it once. Beyond
    `MAX_CART_LINES` the youngest lines of the anonymous cart are left out.
    """
    with transaction.atomic():
        # The anonymous cart first, in every merge, so that no two wait for each other.
        other = _locked(Holder(cart_id=cart_id), None)
        if other is None:
            return
        own = _locked(Holder(user_id=user_id), None) or _new_cart(Holder(user_id=user_id))
        lines = {line.product_id: line for line in own.lines.all()}
        for line in other.lines.order_by("added_at", "id"):
            mine = lines.get(line.product_id)
            if mine is None and len(lines) < MAX_CART_LINES:
                line.cart = own
                line.save()
                lines[line.product_id] = line
            elif mine is not None and line.quantity > mine.quantity:
                mine.quantity = line.quantity
                mine.save()
        other.delete()
        _touch(own)


def check_out(
    *, user_id: UUID, if_versions: Collection[int] | None, terms: Terms = NO_TERMS
) -> dict[str, Any]:
    """Place an order of what the cart holds, and empty it; return what `place_order` does.

    Raises:
        CartEmpty: it holds nothing; `order_id` is that of its latest checkout.
        StaleCart: the cart's version is not among `if_versions`.
        ProductUnavailable, PriceChanged, …: as `place_order` does; the cart stays as it was.
    """
    with transaction.atomic():
        cart = _locked(Holder(user_id=user_id), if_versions)
        lines = list(cart.lines.order_by("added_at", "id")) if cart else []
        if cart is None or not lines:
            raise _empty(cart)
        items = [OrderItem(line.product_id, line.quantity) for line in lines]
        order = place_order(user_id=user_id, items=items, terms=terms)
        cart.lines.all().delete()
        cart.last_order_id = order["id"]
        _touch(cart)
    return order


def forget_cart(*, user_id: UUID) -> None:
    """Delete the cart of a customer whose account is gone."""
    Cart.objects.filter(user_id=user_id).delete()


def _locked(holder: Holder, if_versions: Collection[int] | None) -> Cart | None:
    """Return the holder's cart, locked, if it is at a version that the caller knows."""
    carts = Cart.objects.select_for_update()
    cart: Cart | None = None
    if holder.user_id:
        cart = carts.filter(user_id=holder.user_id).first()
    elif holder.cart_id:
        # A customer's cart answers to no cookie.
        cart = carts.filter(pk=holder.cart_id, user_id=None).first()
    version = cart.version if cart else 0
    if if_versions is not None and version not in if_versions:
        raise StaleCart(f"It is at version {version} now.", members={"version": version})
    return cart


def _new_cart(holder: Holder) -> Cart:
    if holder.user_id is None:
        return Cart.objects.create()
    Cart.objects.bulk_create([Cart(user_id=holder.user_id)], ignore_conflicts=True)
    # Ours, or that of a request at the same time.
    return Cart.objects.select_for_update().get(user_id=holder.user_id)


def _new_line(cart: Cart, product_id: UUID) -> CartLine:
    if cart.lines.count() >= MAX_CART_LINES:
        raise CartTooLarge(
            f"A cart has at most {MAX_CART_LINES} products.", members={"maximum": MAX_CART_LINES}
        )
    return CartLine(cart=cart, product_id=product_id, quantity=0)


def _price(product_id: UUID) -> Any:
    prices = CatalogueProduct.objects.filter(pk=product_id, active=True, deleted=False)
    price = prices.values_list("price", flat=True).first()
    if price is None:
        detail = "Not for sale."
        error = {"pointer": "/product", "code": ProductUnavailable.code, "detail": detail}
        raise ProductUnavailable("The product is not for sale.", errors=[error])
    return price


def _check_quantity(line: CartLine) -> None:
    if line.quantity > MAX_QUANTITY:
        raise TooManyUnitsInCart(
            f"A cart has at most {MAX_QUANTITY} units of a product.",
            members={"maximum": MAX_QUANTITY},
        )


def _touch(cart: Cart) -> None:
    cart.version += 1
    cart.updated_at = Now()
    cart.save()


def _empty(cart: Cart | None) -> CartEmpty:
    last = cart.last_order_id if cart else None
    return CartEmpty("The cart is empty.", members={"order_id": str(last)} if last else {})
