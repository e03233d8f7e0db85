"""What a process knows of revoked sessions, and what it costs to know it."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import revocations
from servicekit.database import direct_connection
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until
from tests.auth.sessions import NOW, claims_of, row, session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]


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

    # What commits while another transaction of the server is open is read once more.
    wait_until(lambda: counted(pass_time) == 0, timeout_seconds=60)
    news = [row(uuid7(), uuid7()) for _ in range(3)]

    assert counted(pass_time) == 3
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
