"""The events that products reacts to."""

from products import stock
from products.events import OrderCancelled, OrderExpired, OrderPlaced, UserSessionsRevoked
from servicekit import revocations
from servicekit.envelope import Envelope
from servicekit.router import Received, Router

router = Router("products")


@router.handles_batch("products.orders", OrderPlaced)
def on_order_placed(received: list[Received[OrderPlaced]]) -> None:
    stock.reserve_stock(received=received)


@router.handles_batch("products.orders", OrderCancelled)
def on_order_cancelled(received: list[Received[OrderCancelled]]) -> None:
    stock.release_stock(received=received)


@router.handles_batch("products.orders", OrderExpired)
def on_order_expired(received: list[Received[OrderExpired]]) -> None:
    stock.release_stock(received=received)


@router.handles("products.users", UserSessionsRevoked)
def on_user_sessions_revoked(event: UserSessionsRevoked, _envelope: Envelope) -> None:
    revocations.revoke(event.session_id, event.user_id, event.revoked_at)
