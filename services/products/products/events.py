"""What products publishes; and, apart, what it reads of others' events."""

from collections import Counter
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from servicekit.messaging.envelope import ConsumedEvent, PublishedEvent
from servicekit.wire_types import EventTime

Reason = Literal["insufficient_stock", "unknown_product", "inactive_product"]


class Part(BaseModel):
    """Something inside an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryState(Part):
    id: UUID
    slug: str
    name: str


class Line(Part):
    product_id: UUID
    quantity: int


class Shortage(Part):
    product_id: UUID
    requested: int
    available: int
    reason: Reason


class ProductChanged(PublishedEvent):
    """A product was created or edited: its whole state. A consumer keeps the highest version."""

    product_id: UUID
    version: int
    slug: str
    sku: str
    name: str
    description: str
    #: By language, such as "de": name and description, as far as there are any.
    translations: dict[str, dict[str, str]]
    #: By key: text, number or boolean.
    attributes: dict[str, str | int | float | bool]
    price: Decimal
    compare_at_price: Decimal | None
    currency: str
    active: bool
    category: CategoryState | None


class ProductDeleted(PublishedEvent):
    """A product is gone for good; orders keep their copies of its name and price."""

    product_id: UUID
    version: int


class StockReserved(PublishedEvent):
    """Every line of the order has its units."""

    order_id: UUID
    lines: list[Line]


class StockRejected(PublishedEvent):
    """At least one line could not have its units; nothing was taken."""

    order_id: UUID
    shortages: list[Shortage]


class StockReleased(PublishedEvent):
    """A cancelled or expired order's units are back."""

    order_id: UUID
    lines: list[Line]


class ReservationUnsettled(PublishedEvent):
    """An order holds units, and nobody told what became of it: orders, publish its outcome anew."""

    order_id: UUID
    asked_before: bool


class StockLow(PublishedEvent):
    """A product's stock fell to its threshold; the next such event follows a rise above it."""

    product_id: UUID
    slug: str
    name: str
    stock: int
    threshold: int


class ReviewPublished(PublishedEvent):
    """A review is there for everybody to read, new or restored by staff."""

    review_id: UUID
    product_id: UUID
    customer_id: UUID
    rating: int
    title: str
    comment: str


# What we read of others' events. Fields that we do not name are ignored.


#: As many as a product can have in stock, and as many lines as an order may have.
MAX_UNITS = 1_000_000_000
MAX_LINES = 1000


class OrderedLine(BaseModel):
    product_id: UUID
    quantity: int = Field(strict=True, gt=0, le=MAX_UNITS)


class OrderPlaced(ConsumedEvent, service="orders"):
    order_id: UUID
    # The answer names each line again, and must not be longer than an event may be.
    lines: list[OrderedLine] = Field(min_length=1, max_length=MAX_LINES)
    deadline: EventTime

    @model_validator(mode="after")
    def _sums_are_bounded(self) -> Self:
        units: Counter[UUID] = Counter()
        for line in self.lines:
            units[line.product_id] += line.quantity
        if max(units.values()) > MAX_UNITS:
            raise ValueError(
                f"the lines of one product ask for more than {MAX_UNITS} units together"
            )
        return self


class OrderCancelled(ConsumedEvent, service="orders"):
    order_id: UUID


class OrderExpired(ConsumedEvent, service="orders"):
    order_id: UUID


class SoldLine(BaseModel):
    product_id: UUID
    quantity: int = Field(strict=True, gt=0, le=MAX_UNITS)


class OrderConfirmed(ConsumedEvent, service="orders"):
    order_id: UUID
    user_id: UUID
    lines: list[SoldLine] = Field(max_length=MAX_LINES)


class ReturnedLine(BaseModel):
    product_id: UUID
    quantity: int = Field(strict=True, gt=0, le=MAX_UNITS)


class OrderReturned(ConsumedEvent, service="orders"):
    order_id: UUID
    return_id: UUID
    lines: list[ReturnedLine] = Field(max_length=MAX_LINES)


class UserSessionsRevoked(ConsumedEvent, service="users"):
    user_id: UUID
    #: Null is every session, so that it must be said.
    session_id: UUID | None
    revoked_at: EventTime


class UserDeleted(ConsumedEvent, service="users"):
    user_id: UUID
