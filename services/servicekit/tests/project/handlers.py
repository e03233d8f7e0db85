"""A router for the consumer's process."""

from servicekit.messaging.router import Received, Router
from tests.project.consumed import OrderPlaced

router = Router("products")


@router.handles_batch("products.orders", OrderPlaced)
def on_order_placed(_received: list[Received[OrderPlaced]]) -> None:
    """Nothing."""


orders_router = Router("orders")
