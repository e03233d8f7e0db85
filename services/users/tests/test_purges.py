"""What users forgets: families of refresh tokens that have expired, and keys that verify nothing
any more.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from servicekit.operations import purge
from tests.factories import make_account
from users import purges
from users.errors import InvalidRefreshToken
from users.models import LoginAttempt, RefreshToken, Session, SigningKey
from users.services import sessions, signing_keys

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 3 * purge.BATCH + 1


def session_of(expired_for: timedelta, **overrides: Any) -> Session:
    account = overrides.pop("account", None) or make_account()
    return Session.objects.create(
        account=account, expires_at=timezone.now() - expired_for, **overrides
    )


def give_tokens(session: Session, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO refresh_token (session_id, digest, issued_at) "
            "SELECT %s, sha256(gen_random_uuid()::text::bytea), now() FROM generate_series(1, %s)",
            [session.pk, count],
        )


def test_every_table_that_grows_is_purged() -> None:
    tables = {model._meta.db_table for model in apps.get_app_config("users").get_models()}

    assert tables - {each.table for each in purge.purges()} == {
        "account",
        "recovery_code",  # ten an account
        "passkey",  # ten an account
        "address",
        "service_client",  # withdrawn clients stay, for whoever asks what a token once did
    }


def test_expired_family_goes_whole_however_large() -> None:
    give_tokens(session_of(timedelta(days=1, minutes=1)), MANY)
    session_of(timedelta(days=1, minutes=1), ended_at=timezone.now(), end_reason="logout")

    done = {outcome.table: (outcome.deleted, outcome.error) for outcome in purge.run()}

    assert (done["refresh_token"], done["session"]) == ((MANY, ""), (2, ""))
    assert not RefreshToken.objects.exists()
    assert not Session.objects.exists()


def test_all_expired_sessions_go_in_one_run() -> None:
    account = make_account()
    over = timezone.now() - timedelta(days=2)
    Session.objects.bulk_create(
        (Session(account=account, expires_at=over) for _ in range(MANY)), batch_size=purge.BATCH
    )

    purge.run()

    assert not Session.objects.exists()


def test_family_that_has_not_expired_stays_though_it_has_ended() -> None:
    """As long as a token could be used, its replay must be told from an unknown token."""
    for session in (
        session_of(timedelta(hours=-1), ended_at=timezone.now()),
        session_of(timedelta(hours=23)),
    ):
        give_tokens(session, 3)

    purge.run()

    assert (Session.objects.count(), RefreshToken.objects.count()) == (2, 6)


def test_token_of_a_purged_family_is_refused() -> None:
    signing_keys.ensure_signing_keys()
    make_account(email="ada@example.org", password="a long enough one")
    answer = sessions.log_in(email="ada@example.org", password="a long enough one")
    Session.objects.update(expires_at=timezone.now() - timedelta(days=2))
    purge.run()

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=answer["refresh_token"])


def test_retired_keys_go_and_the_ring_stays() -> None:
    signing_keys.ensure_signing_keys()
    old, young = (
        SigningKey.objects.create(kid=kid, state="retired", encrypted_pem=b"")
        for kid in ("old", "young")
    )
    SigningKey.objects.exclude(pk=young.pk).update(changed_at=timezone.now() - timedelta(days=2))

    purge.run()

    assert not SigningKey.objects.filter(pk=old.pk).exists()
    assert sorted(SigningKey.objects.values_list("state", flat=True)) == [
        "current",
        "next",
        "retired",
    ]


@pytest.mark.parametrize(
    "each", [purges.REFRESH_TOKENS, purges.SESSIONS], ids=lambda each: each.table
)
def test_purge_finds_its_rows_by_an_index(each: purge.Purge) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {each.statement}", {"days": each.days, "batch": purge.BATCH})
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "Seq Scan" not in plan
    assert "session_by_expiry" in plan
    assert "statement_timestamp()" in "".join(
        line for line in plan.splitlines() if "Index Cond" in line
    ), plan


def test_old_attempts_go_and_known_sources_stay_for_a_month() -> None:
    def attempt(source: str, last_days: float, succeeded_days: float | None = None) -> None:
        now = timezone.now()
        LoginAttempt.objects.create(
            account=b"x" * 32,
            source=source,
            tries=1,
            not_before=now,
            last_at=now - timedelta(days=last_days),
            succeeded_at=None if succeeded_days is None else now - timedelta(days=succeeded_days),
        )

    attempt("192.0.2.1", 1.9)
    attempt("192.0.2.2", 2.1)
    attempt("192.0.2.3", 29, 29)
    attempt("192.0.2.4", 31, 31)

    purge.run()

    assert sorted(LoginAttempt.objects.values_list("source", flat=True)) == [
        "192.0.2.1",
        "192.0.2.3",
    ]
