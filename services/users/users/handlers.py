"""The events that users reacts to: their customers are written to."""

from servicekit.messaging.router import Received, Router
from users.events import OrderCancelled, OrderConfirmed, OrderRejected, OrderShipped
from users.services import order_mails

router = Router("users")


@router.handles_batch("users.orders", OrderConfirmed)
def on_order_confirmed(received: list[Received[OrderConfirmed]]) -> None:
    order_mails.tell_confirmed(received=received)


@router.handles_batch("users.orders", OrderRejected)
def on_order_rejected(received: list[Received[OrderRejected]]) -> None:
    order_mails.tell_rejected(received=received)


@router.handles_batch("users.orders", OrderCancelled)
def on_order_cancelled(received: list[Received[OrderCancelled]]) -> None:
    order_mails.tell_cancelled(received=received)


@router.handles_batch("users.orders", OrderShipped)
def on_order_shipped(received: list[Received[OrderShipped]]) -> None:
    order_mails.tell_shipped(received=received)
