"""Sessions that ended before their tokens did are refused within a second, in every process."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import revocations
from servicekit.auth.token_rules import LEEWAY_SECONDS, LONGEST_LIFE_SECONDS
from servicekit.models import RevokedSession
from tests.auth.sessions import NOW, claims_of, row, session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]


def test_session_that_goes_on_is_not_revoked() -> None:
    assert not revocations.is_revoked(claims_of(uuid7()))


def test_ended_session_is_revoked() -> None:
    subject, session = uuid7(), uuid7()

    revocations.revoke(session, subject, timezone.now())

    assert revocations.is_revoked(claims_of(subject, session))


def test_session_ends_at_once_where_it_is_ended() -> None:
    claims = claims_of(uuid7())
    assert not revocations.is_revoked(claims)

    revocations.revoke(claims.session_id, claims.subject, timezone.now())

    assert revocations.is_revoked(claims)


def test_other_sessions_of_the_same_person_go_on() -> None:
    subject, other = uuid7(), session_of(NOW - timedelta(hours=1))

    revocations.revoke(uuid7(), subject, timezone.now())

    assert not revocations.is_revoked(claims_of(subject, other))


def test_every_earlier_session_of_a_person_ends() -> None:
    subject = uuid7()
    sessions = [session_of(NOW - timedelta(days=days)) for days in (13, 1, 0)]

    revocations.revoke(None, subject, NOW)

    assert [revocations.is_revoked(claims_of(subject, session)) for session in sessions] == [
        True
    ] * 3


def test_sessions_of_others_go_on() -> None:
    revocations.revoke(None, uuid7(), timezone.now())

    assert not revocations.is_revoked(claims_of(uuid7(), session_of(NOW - timedelta(days=1))))


@pytest.mark.parametrize(
    ("milliseconds", "ended"), [(-1, True), (0, True), (1, False), (999, False)]
)
def test_session_that_began_later_goes_on(milliseconds: int, ended: bool) -> None:
    """Whoever logs in again in the second of the revocation must be let in."""
    subject = uuid7()
    session = session_of(NOW + timedelta(milliseconds=milliseconds))

    revocations.revoke(None, subject, NOW)

    assert revocations.is_revoked(claims_of(subject, session, iat=int(NOW.timestamp()))) is ended


def test_refreshed_token_of_an_ended_session_is_revoked() -> None:
    """A token issued after the revocation is no new session."""
    subject, began = uuid7(), session_of(NOW - timedelta(hours=1))

    revocations.revoke(None, subject, NOW - timedelta(minutes=10))

    assert revocations.is_revoked(claims_of(subject, began, iat=int(time.time())))


@pytest.mark.parametrize(("iat_ahead", "ended"), [(-10, True), (0, True), (2, False)])
def test_session_id_without_a_time_goes_by_the_issue(iat_ahead: int, ended: bool) -> None:
    subject, session = uuid7(), UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    now = int(time.time())

    revocations.revoke(None, subject, datetime.fromtimestamp(now, UTC))

    assert revocations.is_revoked(claims_of(subject, session, iat=now + iat_ahead)) is ended


def test_last_of_two_revocations_counts() -> None:
    subject, session = uuid7(), session_of(NOW - timedelta(minutes=5))

    revocations.revoke(None, subject, NOW)
    revocations.revoke(None, subject, NOW - timedelta(minutes=10))

    assert revocations.is_revoked(claims_of(subject, session))


def test_revocation_said_twice_is_one() -> None:
    subject, session, before = uuid7(), uuid7(), timezone.now()

    for _ in range(2):
        revocations.revoke(session, subject, before)
        revocations.revoke(None, subject, before)

    assert RevokedSession.objects.count() == 2


def test_revocation_by_another_process_is_seen_within_a_second(
    pass_time: Callable[[float], None],
) -> None:
    claims = claims_of(uuid7())
    assert not revocations.is_revoked(claims)
    row(claims.session_id, claims.subject)

    pass_time(revocations.SNAPSHOT_SECONDS)

    assert revocations.is_revoked(claims)


def test_request_costs_no_query_of_its_own(pass_time: Callable[[float], None]) -> None:
    claims = claims_of(uuid7())

    revocations.forget()

    with CaptureQueriesContext(connection) as queries:
        for _ in range(100):
            revocations.is_revoked(claims)
        pass_time(revocations.SNAPSHOT_SECONDS)
        for _ in range(100):
            revocations.is_revoked(claims)

    assert len(queries) == 2


def test_expired_revocation_is_not_read() -> None:
    claims = claims_of(uuid7())
    row(claims.session_id, claims.subject, expires_at=timezone.now() - timedelta(seconds=1))

    assert not revocations.is_revoked(claims)


def test_revocation_is_kept_as_long_as_any_token_of_it() -> None:
    """The last one may be issued by a clock that is ahead by the leeway, and be checked by one that
    is behind by it.
    """
    revocations.revoke(uuid7(), uuid7(), timezone.now())

    kept = (RevokedSession.objects.get().expires_at - timezone.now()).total_seconds()

    longest = LONGEST_LIFE_SECONDS + 2 * LEEWAY_SECONDS
    assert longest - 60 < kept <= longest


def test_time_that_could_not_be_read_back_is_not_stored() -> None:
    """Proven by a year of 10000: PostgreSQL stores it, and no process could read any row of the
    table.
    """
    with pytest.raises(IntegrityError), transaction.atomic():
        row(uuid7(), uuid7(), before=datetime.fromisoformat("9999-12-31T23:59:59-14:00"))

    assert not revocations.is_revoked(claims_of(uuid7()))
