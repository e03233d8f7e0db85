"""What a refused request must leave as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from products.models import Category, Product, Reservation, Review, StockAlert, StockMovement
from servicekit.testing.deliver import outbox_events

PATH = "/api/products/"
LAMP = {"name": "Lamp", "price": "1.00", "currency": "EUR"}
TABLES = (Category, Product, Reservation, Review, StockAlert, StockMovement)


def everything() -> list[Any]:
    """Return every row of the catalogue, and what waits in the outbox."""
    rows = [list(table.objects.order_by("pk").values()) for table in TABLES]  # type: ignore[attr-defined]
    return [*rows, outbox_events()]


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Check that the block leaves the catalogue and the outbox as they were."""
    before = everything()
    yield
    assert everything() == before
