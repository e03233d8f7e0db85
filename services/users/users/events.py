"""What users publishes. It reads no events of other services."""

from uuid import UUID

from pydantic import AwareDatetime

from servicekit.messaging.envelope import PublishedEvent


class UserRegistered(PublishedEvent):
    """An account was made."""

    user_id: UUID
    email: str
    roles: list[str]
    registered_at: AwareDatetime


class UserUpdated(PublishedEvent):
    """An account's address was verified or changed: the account as it is now."""

    user_id: UUID
    email: str
    email_verified: bool
    roles: list[str]


class UserSessionsRevoked(PublishedEvent):
    """Refuse the tokens of one session; with null, of every session begun before `revoked_at`."""

    user_id: UUID
    session_id: UUID | None
    revoked_at: AwareDatetime
