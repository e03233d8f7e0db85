"""What users publishes is what is committed; what it reads, somebody publishes."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from servicekit.messaging.contracts import check_consumed, check_contracts
from servicekit.messaging.topology import Topology
from users import events
from users.handlers import router

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


def test_consumed_events_are_published_by_others() -> None:
    check_consumed(router, SERVICES)


def test_handlers_are_what_the_topology_gives(topology: Topology) -> None:
    handled = {queue: set(handlers) for queue, handlers in router.queues.items()}

    assert handled == {
        queue: set(types) for queue, types in topology.queues[router.service].items()
    }
