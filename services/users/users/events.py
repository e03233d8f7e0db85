"""What users publishes; below it, what it reads of others' events."""

from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from servicekit.messaging.envelope import ConsumedEvent, PublishedEvent
from servicekit.wire_types import EventFlag, EventText


class UserRegistered(PublishedEvent):
    """An account was made. Version 1 told its address, which events may not hold."""

    major: ClassVar[int] = 2
    user_id: UUID
    roles: list[str]
    registered_at: AwareDatetime


class UserUpdated(PublishedEvent):
    """An account was changed: its state, without what is personal. Keep the highest version."""

    user_id: UUID
    version: int
    active: bool
    roles: list[str]
    email_verified: bool
    language: str
    marketing_consent: bool


class UserDeactivated(PublishedEvent):
    """An account is refused from now on; UserUpdated tells when it is active again."""

    user_id: UUID
    version: int
    deactivated_at: AwareDatetime


class UserDeleted(PublishedEvent):
    """An account is gone for good: forget whatever is personal of it."""

    user_id: UUID
    deleted_at: AwareDatetime


class UserSessionsRevoked(PublishedEvent):
    """Refuse the tokens of one session; with null, of every session begun before `revoked_at`."""

    user_id: UUID
    session_id: UUID | None
    revoked_at: AwareDatetime


# What we read of others' events, to write mails about them. Fields that we do not name are ignored.

_Word = Annotated[EventText, Field(max_length=100)]
_Name = Annotated[EventText, Field(max_length=200)]


class OrderEvent(ConsumedEvent):
    """What every event about an order says."""

    order_id: UUID
    user_id: UUID
    number: Annotated[EventText, Field(max_length=20)]


class OrderConfirmed(OrderEvent, service="orders"):
    total: Decimal = Field(ge=0, max_digits=20, decimal_places=2)
    currency: Annotated[EventText, Field(min_length=3, max_length=3)]


class OrderRejected(OrderEvent, service="orders"):
    products: list[_Name] = Field(max_length=10)


class OrderCancelled(OrderEvent, service="orders"):
    reason: EventText = Field(max_length=50)


class OrderShipped(OrderEvent, service="orders"):
    shipment_id: UUID
    carrier: _Word
    tracking_number: _Word
    is_complete: EventFlag
