"""What makes a checkout the same checkout: its Idempotency-Key, else the version of the cart."""

import hashlib
from collections.abc import Collection

from rest_framework.request import Request

from orders import selectors
from servicekit.auth.authentication import caller_of
from servicekit.http import idempotency
from servicekit.http.idempotency import IdempotentRequest

OPERATION = "check_out"
#: The header wins; what it is used for must then be the same, as everywhere.
BY_CART = hashlib.sha256(b"the cart at this version").digest()


def checkout_key(request: Request, versions: Collection[int] | None) -> IdempotentRequest:
    """Return the key of a checkout.

    Without the header it is the cart's version, that of If-Match or of now: each version is checked
    out once, so that a second click gets the order of the first. Versions only rise.
    """
    caller = caller_of(request).id
    keyed = idempotency.from_request(request, OPERATION, caller=caller)
    if keyed:
        return keyed
    version = max(versions) if versions else selectors.cart_version(user_id=caller)
    # No header has a blank.
    return IdempotentRequest(caller, OPERATION, f"cart {version}", BY_CART)
