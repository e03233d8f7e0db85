"""An event as the orders service would define it, so that the real topology carries it."""

from servicekit.messaging.envelope import PublishedEvent


class OrderPlaced(PublishedEvent):
    __module__ = "orders.events"

    order_id: str
    quantity: int = 1
