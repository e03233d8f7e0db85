"""Bulk operations in tests: asked for and run to their end, with somebody who sends the events."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.utils import timezone

from products.api.batches import batches
from products.models import BulkOperation, Product
from products.services.bulk import running
from products.services.bulk.operations import UNFINISHED, start_operation
from servicekit.models import OutboxEvent


def run(*, seconds: float) -> int:
    """Do what the worker's job does, for so long."""
    return running.run_unfinished(seconds=seconds, batches=batches())


def run_for_a_moment() -> int:
    """Do what the worker's job does, but give up soon where it waits for the relay."""
    return run(seconds=0.1)


def send_events() -> None:
    """Do what the relay does to the outbox."""
    OutboxEvent.objects.filter(sent_at=None).update(sent_at=timezone.now())


def finish(run: Callable[[], object] = run_for_a_moment) -> None:
    """Run batches until every operation has ended."""
    for _ in range(1000):
        run()
        if not BulkOperation.objects.filter(state__in=UNFINISHED).exists():
            return
        send_events()
    raise AssertionError("operations do not end")


def change(kind: str = "change_prices", **parameters: Any) -> BulkOperation:
    """Have an operation done, and return it as it ended."""
    operation = start_operation(kind=kind, parameters={"filter": {}, **parameters})
    finish()
    operation.refresh_from_db()
    return operation


def make_products(count: int, **overrides: Any) -> list[Product]:
    """Insert many products without stock at once, past the service that makes a single product."""
    fields: dict[str, Any] = {"price": Decimal("1.00"), "currency": "GBP", **overrides}
    first = Product.objects.count()
    rows = (
        Product(slug=f"bulk-{first + number}", name=f"Bulk {first + number}", **fields)
        for number in range(count)
    )
    return Product.objects.bulk_create(rows, batch_size=1000)


def prices() -> list[str]:
    """Return every price, in the order in which the products were made."""
    return [str(price) for price in Product.objects.order_by("id").values_list("price", flat=True)]
