"""What users publishes. It reads no events of other services."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from servicekit.messaging.envelope import PublishedEvent


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
