"""The cart: a customer's, or that of a browser that nobody has logged in with."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders import selectors
from orders.api import cart_cookie
from orders.api.cart_keys import OPERATION, checkout_key
from orders.api.cart_serializers import (
    CartLineWrite,
    CartRead,
    CheckoutRefused,
    CheckoutWrite,
    QuantityWrite,
)
from orders.api.headers import IF_MATCH, IF_NONE_MATCH, KEY, PREFER
from orders.api.permissions import HasCart
from orders.api.placing import place, placed_response
from orders.api.serializers import OrderRead
from orders.models import Cart
from orders.services import carts
from orders.services.carts import Holder
from orders.services.placement import Terms
from servicekit.auth.authentication import caller_of, viewer_of
from servicekit.auth.permissions import IsAuthenticated
from servicekit.http import conditional
from servicekit.http.problems import CONTENT_TYPE as PROBLEM
from servicekit.http.viewsets import StrictViewSetMixin

ADD_EXAMPLE = OpenApiExample(
    "Two lanterns",
    {"product": "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59", "quantity": 2},
    request_only=True,
)


class CartViewSet(StrictViewSetMixin, GenericViewSet[Cart]):
    """The caller's cart; what the cookie's cart holds comes into it when somebody has logged in.

    Its ETag is its version. A change with If-Match is refused if another came before it (412).
    """

    permission_classes = (AllowAny, HasCart)
    queryset = Cart.objects.none()
    serializer_class = CartRead
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(
        operation_id="read_cart",
        parameters=[IF_NONE_MATCH],
        responses={200: CartRead, 304: None},
    )
    def list(self, request: Request) -> Response:
        """The cart, at the prices of now."""
        return self._answer(self._holder())

    @extend_schema(
        operation_id="add_to_cart",
        parameters=[IF_MATCH],
        request=CartLineWrite,
        responses=CartRead,
        examples=[ADD_EXAMPLE],
    )
    @action(detail=False, methods=["post"])
    def lines(self, request: Request) -> Response:
        """Put units of a product into the cart."""
        line = self.valid(CartLineWrite)
        holder = self._holder()
        cart_id = carts.add_to_cart(
            holder=holder,
            product_id=line["product"],
            quantity=line["quantity"],
            if_versions=_versions(request),
        )
        return self._answer(Holder(holder.user_id, cart_id))

    @extend_schema(operation_id="clear_cart", parameters=[IF_MATCH], responses={200: CartRead})
    @lines.mapping.delete
    def clear(self, request: Request) -> Response:
        """Take everything out."""
        holder = self._holder()
        carts.remove_from_cart(holder=holder, product_ids=None, if_versions=_versions(request))
        return self._answer(holder)

    @extend_schema(
        operation_id="change_cart_line",
        parameters=[IF_MATCH],
        request=QuantityWrite,
        responses=CartRead,
    )
    @action(detail=False, methods=["put"], url_path="lines/<id:product_id>")
    def line(self, request: Request, product_id: UUID) -> Response:
        """Set how many units of a product are in the cart."""
        quantity = self.valid(QuantityWrite)["quantity"]
        holder = self._holder()
        carts.set_quantity(
            holder=holder,
            product_id=product_id,
            quantity=quantity,
            if_versions=_versions(request),
        )
        return self._answer(holder)

    @extend_schema(
        operation_id="remove_cart_line", parameters=[IF_MATCH], responses={200: CartRead}
    )
    @line.mapping.delete
    def remove(self, request: Request, product_id: UUID) -> Response:
        """Take a product out; one that is not there is out already."""
        holder = self._holder()
        carts.remove_from_cart(
            holder=holder, product_ids=[product_id], if_versions=_versions(request)
        )
        return self._answer(holder)

    @extend_schema(
        operation_id="check_out",
        parameters=[PREFER, KEY, IF_MATCH],
        request=CheckoutWrite,
        responses={201: OrderRead, 202: OrderRead, (409, PROBLEM): CheckoutRefused},
    )
    @action(detail=False, methods=["post"], permission_classes=[IsAuthenticated])
    def checkout(self, request: Request) -> Response:
        """Place an order of the cart, and empty it; a repeat gets the first answer."""
        terms = Terms(**self.valid(CheckoutWrite))
        self._holder()  # what the cookie's cart holds is checked out, too
        user_id = caller_of(request).id
        versions = _versions(request)
        answer = place(
            request,
            lambda: carts.check_out(user_id=user_id, if_versions=versions, terms=terms),
            checkout_key(request, versions),
            OPERATION,
        )
        return self._with_cookie(placed_response(answer), Holder(user_id=user_id))

    def _holder(self) -> Holder:
        """Return whose cart it is, after what the cookie's holds has come into a customer's."""
        viewer = viewer_of(self.request)
        cart_id = cart_cookie.cart_id_of(self.request)
        if viewer.is_machine:
            return Holder()
        if not viewer.is_authenticated:
            return Holder(cart_id=cart_id)
        user_id = caller_of(self.request).id
        if cart_id:
            carts.merge_carts(user_id=user_id, cart_id=cart_id)
        return Holder(user_id=user_id)

    def _answer(self, holder: Holder) -> Response:
        cart_id = None if holder.user_id else holder.cart_id
        cart = selectors.read_cart(user_id=holder.user_id, cart_id=cart_id)
        body, tag = CartRead.body(cart), f'"{cart["version"]}"'
        is_read = self.request.method in {"GET", "HEAD"}
        response = (
            conditional.answer(self.request, body, tag)
            if is_read
            else Response(body, headers={"ETag": tag})
        )
        return self._with_cookie(response, holder)

    def _with_cookie(self, response: Response, holder: Holder) -> Response:
        """Let an anonymous browser keep its cart, and one that logged in forget it."""
        has_cookie = cart_cookie.NAME in self.request.COOKIES
        if holder.user_id is None and holder.cart_id:
            cart_cookie.give(response, holder.cart_id, is_secure=self.request.is_secure())
        elif has_cookie:
            cart_cookie.take_back(response)
        return response


def _versions(request: Request) -> frozenset[int] | None:
    tags = conditional.tags_to_match(request)
    return None if tags is None else frozenset(int(tag) for tag in tags if tag.isdecimal())
