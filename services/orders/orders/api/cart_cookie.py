"""The cookie by which a browser without an account finds its cart: the cart's id, signed.

Whoever holds it can read and change the cart, and no more: nothing in a cart tells who it is.
"""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from rest_framework.request import Request
from rest_framework.response import Response

NAME = "souk_cart"
# Browsers send it to no other address, so that it keeps no catalogue page from the shared cache.
PATH = "/api/cart/"
SALT = "orders.cart"
#: As long as a cart is kept (purges.py).
LIFE = timedelta(days=30)


def cart_id_of(request: Request) -> UUID | None:
    """Return the cart that the cookie names; None where it names none that we have signed."""
    value = request.COOKIES.get(NAME)
    if value is None:
        return None
    try:
        return UUID(signing.loads(value, salt=SALT, max_age=LIFE))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None


def give(response: Response, cart_id: UUID, *, is_secure: bool) -> None:
    """Let the browser keep the cart; each change prolongs it."""
    response.set_cookie(
        NAME,
        signing.dumps(str(cart_id), salt=SALT),
        max_age=LIFE,
        path=PATH,
        secure=is_secure,
        httponly=True,
        samesite="Lax",
    )


def take_back(response: Response) -> None:
    """Let the browser forget the cart, which is the customer's now."""
    response.delete_cookie(NAME, path=PATH, samesite="Lax")
