"""Log in, refresh, log out: a refresh token works once, a stolen one ends the session."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from servicekit import revocations
from servicekit import tokens as access_tokens
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from users import sessions
from users.errors import InvalidRefreshToken, WrongCredentials
from users.models import Account, RefreshToken, Session

REVOKED = "users.user_sessions_revoked.v1"


def age(seconds: float) -> None:
    """Let every spent token have been spent `seconds` earlier."""
    for row in RefreshToken.objects.exclude(spent_at=None):
        row.spent_at = row.spent_at - timedelta(seconds=seconds)
        row.save()


@pytest.mark.django_db
def test_log_in_gives_a_token_that_verifies(ring: None) -> None:
    account = make_account(email="ada@example.org")

    answer = sessions.log_in(email="ADA@example.org", password=PASSWORD)

    claims = access_tokens.verify(answer["access_token"])
    assert (claims.subject, claims.roles) == (account.pk, frozenset({"customer"}))
    assert claims.session_id == Session.objects.get().pk
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 300)
    assert 14 * 86400 - 60 < answer["refresh_expires_in"] <= 14 * 86400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "wrong"), ("ada@example.org", ""), ("bob@example.org", PASSWORD), ("no address", PASSWORD),
     ("ada@example.org", PASSWORD + " "), ("ada@example.org", PASSWORD.upper())],
)  # fmt: skip
def test_wrong_credentials_are_refused_alike(ring: None, email: str, password: str) -> None:
    make_account(email="ada@example.org")

    with pytest.raises(WrongCredentials) as refusal:
        sessions.log_in(email=email, password=password)

    assert str(refusal.value.detail) == "No active account has this address and password."
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_inactive_account_cannot_log_in_nor_refresh(ring: None) -> None:
    account = make_account()
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    Account.objects.update(is_active=False)

    with pytest.raises(WrongCredentials):
        sessions.log_in(email=account.email, password=PASSWORD)
    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=tokens["refresh_token"])


@pytest.mark.django_db
def test_refresh_rotates_and_stays_in_the_session(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)

    second = sessions.refresh(refresh_token=first["refresh_token"])
    third = sessions.refresh(refresh_token=second["refresh_token"])

    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    ids = {access_tokens.verify(one["access_token"]).session_id for one in (first, second, third)}
    assert ids == {Session.objects.get().pk}
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
def test_spent_token_within_the_grace_gets_the_same_answer(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    age(9)

    assert sessions.refresh(refresh_token=first["refresh_token"]) == second

    assert RefreshToken.objects.count() == 2
    sessions.refresh(refresh_token=second["refresh_token"])


@pytest.mark.django_db(transaction=True)
def test_spent_token_after_the_grace_ends_the_session_for_everybody(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    age(11)

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=first["refresh_token"])

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=second["refresh_token"])
    assert Session.objects.get().end_reason == "replay"
    (event,) = outbox_events(REVOKED)
    assert event["data"]["session_id"] == str(Session.objects.get().pk)
    assert revocations.is_revoked(access_tokens.verify(second["access_token"]))


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_get_one_answer(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    barrier, answers = threading.Barrier(6), []

    def run() -> None:
        barrier.wait(timeout=20)
        try:
            answers.append(sessions.refresh(refresh_token=first["refresh_token"]))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(answers) == 6
    assert all(answer == answers[0] for answer in answers)
    assert RefreshToken.objects.count() == 2


@pytest.mark.django_db
def test_expired_session_cannot_refresh(ring: None) -> None:
    account = make_account()
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=tokens["refresh_token"])


@pytest.mark.django_db
def test_log_out_ends_one_session_once(ring: None) -> None:
    account = make_account()
    gone, kept = (sessions.log_in(email=account.email, password=PASSWORD) for _ in range(2))

    sessions.log_out(refresh_token=gone["refresh_token"])
    sessions.log_out(refresh_token=gone["refresh_token"])
    sessions.log_out(refresh_token="nobody's")

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=gone["refresh_token"])
    sessions.refresh(refresh_token=kept["refresh_token"])
    assert len(outbox_events(REVOKED)) == 1
    assert revocations.is_revoked(access_tokens.verify(gone["access_token"]))
    assert not revocations.is_revoked(access_tokens.verify(kept["access_token"]))


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\0", "é" * 50])
def test_garbage_is_no_refresh_token(ring: None, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=token)
