"""What the test project reads of others' events."""

from servicekit.messaging.envelope import ConsumedEvent


class OrderPlaced(ConsumedEvent, service="orders"):
    order_id: str
    quantity: int = 1
