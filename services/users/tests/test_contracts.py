"""What users publishes is what is committed. It reads nobody's events."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from servicekit.messaging.contracts import check_contracts
from users import events

SERVICES = Path(__file__).parents[2]
USER = UUID("0190b7a1-0000-7000-8000-000000000004")
SESSION = UUID("0190b7a1-0000-7000-8000-000000000005")
MOMENT = datetime(2026, 11, 2, 8, 26, tzinfo=UTC)
SAMPLES = [
    events.UserRegistered(user_id=USER, roles=["customer"], registered_at=MOMENT),
    events.UserUpdated(
        user_id=USER,
        version=2,
        active=True,
        roles=["customer"],
        email_verified=False,
        language="de",
        marketing_consent=True,
    ),
    events.UserDeactivated(user_id=USER, version=3, deactivated_at=MOMENT),
    events.UserDeleted(user_id=USER, deleted_at=MOMENT),
    events.UserSessionsRevoked(user_id=USER, session_id=SESSION, revoked_at=MOMENT),
]


def test_published_events_are_the_committed_contracts() -> None:
    check_contracts(events, SAMPLES, SERVICES / "users" / "contracts")
