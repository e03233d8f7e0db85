"""What the tests of the API share."""

import threading
from typing import Any

from django.db import connections
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import MAX_LINES, CatalogueProduct, Order, Status
from servicekit.testing.client import Caller, decoded
from servicekit.testing.deliver import deliver
from servicekit.testing.waiting import wait_until

PATH = "/api/orders/"
AN_ID = "00000000-0000-7000-8000-000000000001"


def lines(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {
        "lines": [{"product": str(product), "quantity": quantity} for product, quantity in pairs]
    }


def decide(message_for: Any) -> threading.Thread:
    """Let the next placed order be decided, as products would do it, in a thread of its own."""

    def run() -> None:
        try:
            order = wait_until(lambda: Order.objects.filter(status=Status.PENDING).first())
            deliver(router, "orders.stock", [message_for(order)])
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def place_long_orders(caller: Caller, number: int) -> list[str]:
    """Place orders of as many lines as there may be, newest first."""
    products = CatalogueProduct.objects.bulk_create(
        CatalogueProduct(
            product_id=uuid7(), version=1, name=f"P {n}", price="1.00", currency="GBP", active=True
        )
        for n in range(MAX_LINES)
    )
    wanted = lines(*[(product.product_id, 1) for product in products])
    return [decoded(caller.post(PATH, wanted), 201)["id"] for _ in range(number)][::-1]
