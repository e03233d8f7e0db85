"""The events that products reacts to."""

from products.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
    OrderPlaced,
    OrderReturned,
    UserDeleted,
    UserSessionsRevoked,
)
from products.services import privacy, reservations, returns, sales
from servicekit.auth import revocations
from servicekit.messaging.envelope import Envelope
from servicekit.messaging.router import Received, Router

router = Router("products")


@router.handles_batch(
    "products.orders", OrderPlaced, OrderCancelled, OrderExpired, rows=reservations.rows_of
)
def on_order_placed_or_ended(
    received: list[Received[OrderPlaced | OrderCancelled | OrderExpired]],
) -> None:
    reservations.settle_orders(received=received)


@router.handles_batch("products.sales", OrderConfirmed)
def on_order_confirmed(received: list[Received[OrderConfirmed]]) -> None:
    sales.record_sales(received=received)


# A queue of its own: what is sold locks reservations and then products, this products alone.
@router.handles_batch("products.returns", OrderReturned, rows=returns.rows_of)
def on_order_returned(received: list[Received[OrderReturned]]) -> None:
    returns.put_back(received=received)


@router.handles("products.users", UserSessionsRevoked)
def on_user_sessions_revoked(event: UserSessionsRevoked, _envelope: Envelope) -> None:
    revocations.revoke(event.session_id, event.user_id, event.revoked_at)


@router.handles("products.users", UserDeleted)
def on_user_deleted(event: UserDeleted, _envelope: Envelope) -> None:
    privacy.forget_user(user_id=event.user_id)
