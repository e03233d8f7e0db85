"""The events that orders publishes; below them, what it reads of others' events."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from servicekit.messaging.envelope import ConsumedEvent, PublishedEvent
from servicekit.wire_types import EventCount, EventFlag, EventText, EventTime


class Part(BaseModel):
    """Something inside an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlacedLine(Part):
    product_id: UUID
    quantity: int
    unit_price: Decimal
    name: str


class Line(Part):
    product_id: UUID
    quantity: int


class Shortage(Part):
    product_id: UUID
    requested: int
    available: int
    reason: str


class OrderPlaced(PublishedEvent):
    # One line in the schema, whose text is a contract.
    """An order was accepted and waits for its stock until `deadline`, when it expires. \
Each product stands in one line."""

    order_id: UUID
    user_id: UUID
    lines: list[PlacedLine]
    total: Decimal
    currency: str
    placed_at: AwareDatetime
    deadline: AwareDatetime


class OrderConfirmed(PublishedEvent):
    """The order has its units: it will be shipped."""

    order_id: UUID
    user_id: UUID
    number: str
    lines: list[Line]
    total: Decimal
    currency: str


class OrderRejected(PublishedEvent):
    """The order could not have its units; nothing was taken."""

    order_id: UUID
    user_id: UUID
    number: str
    shortages: list[Shortage]
    #: Names of the first products that are short, for people.
    products: list[str]


class OrderCancelled(PublishedEvent):
    """The customer or staff took the order back; what it holds is to be released."""

    order_id: UUID
    user_id: UUID
    number: str
    reason: Literal["customer", "staff", "payment"]


class OrderExpired(PublishedEvent):
    """Nobody decided the order in time; what it may hold is to be released."""

    order_id: UUID
    user_id: UUID
    number: str


class OrderShipped(PublishedEvent):
    """A parcel left the house; with the last one (`is_complete`) the order is shipped."""

    order_id: UUID
    user_id: UUID
    number: str
    shipment_id: UUID
    carrier: str
    tracking_number: str
    lines: list[Line]
    is_complete: bool


class OrderDelivered(PublishedEvent):
    """Everything of the order reached its customer."""

    order_id: UUID
    user_id: UUID
    number: str


class OrderReturned(PublishedEvent):
    """Units came back and are for sale again: add them to the stock, once for each `return_id`."""

    order_id: UUID
    user_id: UUID
    number: str
    return_id: UUID
    lines: list[Line]


# What we read of others' events. Fields that we do not name are ignored.

#: As many as an order may have (models.MAX_LINES; events know no models).
MAX_LINES = 1000


class StockReserved(ConsumedEvent, service="products"):
    order_id: UUID


class ReportedShortage(BaseModel):
    product_id: UUID
    requested: EventCount
    available: EventCount
    reason: EventText = Field(max_length=50)


class StockRejected(ConsumedEvent, service="products"):
    order_id: UUID
    # Told again in OrderRejected, which must not be longer than an event may be.
    shortages: list[ReportedShortage] = Field(max_length=MAX_LINES)


class StockReleased(ConsumedEvent, service="products"):
    order_id: UUID


class ReservationUnsettled(ConsumedEvent, service="products"):
    order_id: UUID
    asked_before: EventFlag


class ProductChanged(ConsumedEvent, service="products"):
    product_id: UUID
    version: EventCount
    slug: EventText = Field(max_length=100)
    sku: EventText = Field(max_length=64)
    name: EventText = Field(max_length=200)
    price: Decimal = Field(ge=0, max_digits=12, decimal_places=2)
    currency: EventText = Field(min_length=3, max_length=3)
    active: EventFlag


class ProductDeleted(ConsumedEvent, service="products"):
    product_id: UUID
    version: EventCount


class UserSessionsRevoked(ConsumedEvent, service="users"):
    user_id: UUID
    #: Null is every session, so that it must be said.
    session_id: UUID | None
    revoked_at: EventTime


class UserDeleted(ConsumedEvent, service="users"):
    user_id: UUID
