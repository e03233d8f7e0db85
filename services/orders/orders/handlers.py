"""The events that orders reacts to."""

from orders.events import (
    ProductChanged,
    ProductDeleted,
    ReservationUnsettled,
    StockRejected,
    StockReleased,
    StockReserved,
    UserDeleted,
    UserSessionsRevoked,
)
from orders.services import catalogue, outcomes, payments, privacy, settlement
from servicekit.auth import revocations
from servicekit.messaging.envelope import Envelope
from servicekit.messaging.router import Received, Router

router = Router("orders")


@router.handles_batch("orders.stock", StockReserved)
def on_stock_reserved(received: list[Received[StockReserved]]) -> None:
    payments.settle_reserved(received=received)


@router.handles_batch("orders.stock", StockRejected)
def on_stock_rejected(received: list[Received[StockRejected]]) -> None:
    settlement.reject_orders(received=received)


@router.handles_batch("orders.stock", StockReleased)
def on_stock_released(_received: list[Received[StockReleased]]) -> None:
    """Do nothing: the order has ended already. The inbox row tells that the units are back."""


@router.handles_batch("orders.stock", ReservationUnsettled)
def on_reservation_unsettled(received: list[Received[ReservationUnsettled]]) -> None:
    outcomes.publish_again(received=received)


@router.handles_batch("orders.catalogue", ProductChanged)
def on_product_changed(received: list[Received[ProductChanged]]) -> None:
    catalogue.upsert_products(changed=[each.event for each in received])


@router.handles_batch("orders.catalogue", ProductDeleted)
def on_product_deleted(received: list[Received[ProductDeleted]]) -> None:
    catalogue.tombstone_products(deleted=[each.event for each in received])


@router.handles("orders.users", UserSessionsRevoked)
def on_user_sessions_revoked(event: UserSessionsRevoked, _envelope: Envelope) -> None:
    revocations.revoke(event.session_id, event.user_id, event.revoked_at)


@router.handles("orders.users", UserDeleted)
def on_user_deleted(event: UserDeleted, _envelope: Envelope) -> None:
    privacy.forget_user(user_id=event.user_id)
