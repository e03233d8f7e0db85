"""Sessions that ended before their tokens did are refused within a second, in every process."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import revocations, tokens
from servicekit.auth.token_rules import LEEWAY_SECONDS, LONGEST_LIFE_SECONDS
from servicekit.database import direct_connection
from servicekit.models import RevokedSession
from servicekit.testing.tokens import make_token
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]
NOW = datetime.now(UTC).replace(microsecond=0)


def session_of(moment: datetime) -> UUID:
    """A session that began at `moment`."""
    milliseconds = round(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | uuid4().int & (1 << 62) - 1)


def claims_of(subject: UUID, session: UUID | None = None, **claims: Any) -> tokens.Claims:
    if "iat" in claims:
        claims["exp"] = claims["iat"] + LONGEST_LIFE_SECONDS
    return tokens.verified(make_token(subject, sid=str(session or uuid7()), **claims)).claims


def row(session: UUID | None, subject: UUID, **overrides: Any) -> RevokedSession:
    """As another process would have written it."""
    values = {
        "before": timezone.now(),
        "expires_at": timezone.now() + timedelta(hours=1),
        **overrides,
    }
    return RevokedSession.objects.create(session=session, subject=subject, **values)


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this machine's clock forward."""
    ahead, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


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


def counted(pass_time: Callable[[float], None]) -> int:
    """How many rows the next look at the table fetches."""
    pass_time(revocations.SNAPSHOT_SECONDS)
    with CaptureQueriesContext(connection) as queries:
        revocations.is_revoked(claims_of(uuid7()))
    assert len(queries) == 1
    sql = queries[0]["sql"]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sum(subject is not None for _, subject, *_ in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_each_look_fetches_only_what_is_new(pass_time: Callable[[float], None]) -> None:
    for _ in range(200):
        row(uuid7(), uuid7())
    assert counted(pass_time) == 200

    before = counted(pass_time)
    news = [row(uuid7(), uuid7()) for _ in range(3)]
    after = counted(pass_time)

    assert (before, after) == (0, 3)
    assert revocations.is_revoked(claims_of(news[0].subject, news[0].session))


@pytest.mark.django_db(transaction=True)
def test_revocation_that_commits_late_is_seen(pass_time: Callable[[float], None]) -> None:
    """Its id is older than those that were seen meanwhile."""
    late, early = claims_of(uuid7()), claims_of(uuid7())
    insert = """INSERT INTO revoked_session (subject, session, before, expires_at)
        VALUES (%s, %s, clock_timestamp(), clock_timestamp() + interval '5 minutes')"""
    with direct_connection() as other, other.transaction():
        other.execute(insert, [late.subject, late.session_id])
        row(early.session_id, early.subject)
        for _ in range(3):
            pass_time(revocations.SNAPSHOT_SECONDS)
            assert revocations.is_revoked(early)
            assert not revocations.is_revoked(late)
            row(uuid7(), uuid7())

    pass_time(revocations.SNAPSHOT_SECONDS)

    assert revocations.is_revoked(late)


@pytest.mark.django_db(transaction=True)
def test_expired_revocations_leave_the_snapshot(pass_time: Callable[[float], None]) -> None:
    soon = timezone.now() + timedelta(milliseconds=300)
    session, everybody = (
        claims_of(uuid7()),
        claims_of(uuid7(), session_of(NOW - timedelta(minutes=1))),
    )
    row(session.session_id, session.subject, expires_at=soon)
    row(None, everybody.subject, expires_at=soon)
    assert revocations.is_revoked(session)
    assert revocations.is_revoked(everybody)

    def are_gone() -> bool:
        pass_time(revocations.SNAPSHOT_SECONDS)
        return not (revocations.is_revoked(session) or revocations.is_revoked(everybody))

    wait_until(are_gone)


@pytest.mark.django_db(transaction=True)
def test_session_revoked_again_stays_as_long_as_the_later(
    pass_time: Callable[[float], None],
) -> None:
    claims = claims_of(uuid7())
    soon = timezone.now() + timedelta(milliseconds=200)
    row(claims.session_id, claims.subject, expires_at=soon)
    assert revocations.is_revoked(claims)
    row(claims.session_id, claims.subject)
    wait_until(lambda: timezone.now() > soon)

    pass_time(revocations.SNAPSHOT_SECONDS)

    assert revocations.is_revoked(claims)


@pytest.mark.django_db(transaction=True)
def test_database_that_was_replaced_is_read_as_a_whole(
    pass_time: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore, transactions are counted from another number: a lower one must not hide what
    is there.
    """
    claims = claims_of(uuid7())
    assert not revocations.is_revoked(claims)
    row(claims.session_id, claims.subject)
    monkeypatch.setattr(revocations._snapshot, "horizon", 2**60)

    pass_time(revocations.SNAPSHOT_SECONDS)

    assert revocations.is_revoked(claims)


@pytest.mark.django_db(transaction=True)
def test_rolled_back_revocation_ends_nothing(pass_time: Callable[[float], None]) -> None:
    claims = claims_of(uuid7())

    with transaction.atomic():
        revocations.revoke(claims.session_id, claims.subject, timezone.now())
        transaction.set_rollback(True)

    assert not revocations.is_revoked(claims)


@pytest.mark.django_db(transaction=True)
def test_slow_database_holds_up_one_thread_only(pass_time: Callable[[float], None]) -> None:
    """While one thread reads the table again, the others go on with what was read last."""
    claims = claims_of(uuid7())
    revocations.is_revoked(claims)
    pass_time(revocations.SNAPSHOT_SECONDS)
    answers: list[bool] = []

    def ask() -> None:
        answers.append(revocations.is_revoked(claims))
        connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE revoked_session")
        reader = threading.Thread(target=ask)
        reader.start()
        wait_until(somebody_waits_for_a_lock)
        others = [threading.Thread(target=ask) for _ in range(5)]
        for thread in others:
            thread.start()
        wait_until(lambda: len(answers) == 5)
        assert reader.is_alive()
    for thread in [reader, *others]:
        thread.join(10)

    assert answers == [False] * 6
