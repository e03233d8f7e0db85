"""Rows of orders that are no longer needed (servicekit.operations.purge deletes them)."""

from servicekit.operations.purge import Purge

#: As long as the cookie of an anonymous cart is good (api/cart_cookie.py).
ANONYMOUS_DAYS = 30
CUSTOMER_DAYS = 365


def _forsaken_carts(owner: str) -> str:
    """Return the statement that deletes carts with their lines; `owner` is our own condition."""
    return f"""
    WITH old AS MATERIALIZED (
        SELECT id FROM cart
        WHERE updated_at < statement_timestamp() - %(days)s * interval '1 day' AND {owner}
        ORDER BY updated_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), lines AS (
        DELETE FROM cart_line WHERE cart_id IN (SELECT id FROM old)
    )
    DELETE FROM cart WHERE id IN (SELECT id FROM old)
    """  # noqa: S608 - our own


PURGES = [
    Purge("cart (anonymous)", _forsaken_carts("user_id IS NULL"), days=ANONYMOUS_DAYS),
    Purge("cart", _forsaken_carts("user_id IS NOT NULL"), days=CUSTOMER_DAYS),
]
