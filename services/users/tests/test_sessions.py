"""Log in, refresh, log out: a refresh token works once, a stolen token ends the session."""

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.utils import timezone

from servicekit.auth import revocations
from servicekit.auth import tokens as access_tokens
from servicekit.models import RevokedSession
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from users.errors import InvalidRefreshToken, WrongCredentials
from users.models import Account, RefreshToken, Session
from users.services import sessions

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

    claims = access_tokens.verified(answer["access_token"]).claims
    assert (claims.subject, claims.roles) == (account.pk, frozenset({"customer"}))
    assert claims.session_id == Session.objects.get().pk
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 300)
    assert 14 * 86400 - 60 < answer["refresh_expires_in"] <= 14 * 86400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "wrong"), ("ada@example.org", ""), ("bob@example.org", PASSWORD),
     ("no address", PASSWORD),
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

    assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3
    ids = {
        access_tokens.verified(tokens["access_token"]).claims.session_id
        for tokens in (first, second, third)
    }
    assert ids == {Session.objects.get().pk}
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
def test_spent_token_within_the_grace_gets_the_same_answer(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    age(9)

    again = sessions.refresh(refresh_token=first["refresh_token"])

    assert orjson.dumps(again) == orjson.dumps(second)
    assert RefreshToken.objects.count() == 2
    sessions.refresh(refresh_token=second["refresh_token"])


@pytest.mark.django_db
def test_kept_answers_are_dropped_once_their_grace_is_over(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    age(11)

    sessions.refresh(refresh_token=second["refresh_token"])

    kept = RefreshToken.objects.exclude(encrypted_answer=None)
    assert kept.count() == 1
    assert kept.get().spent_at > timezone.now() - timedelta(seconds=10)


@pytest.mark.django_db(transaction=True)
def test_spent_token_after_the_grace_ends_the_session_for_everybody(
    ring: None, caplog: pytest.LogCaptureFixture
) -> None:
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
    assert revocations.is_revoked(access_tokens.verified(second["access_token"]).claims)
    (said,) = [each for each in caplog.records if "used again" in each.message]
    assert said.__dict__["session"] == str(Session.objects.get().pk)
    assert first["refresh_token"] not in repr(said.__dict__)


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_get_one_answer(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)

    answers = at_once(*[lambda: sessions.refresh(refresh_token=first["refresh_token"])] * 6)

    assert isinstance(answers[0], dict)
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
    assert revocations.is_revoked(access_tokens.verified(gone["access_token"]).claims)
    assert not revocations.is_revoked(access_tokens.verified(kept["access_token"]).claims)


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\0", "é" * 50])
def test_garbage_is_no_refresh_token(ring: None, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=token)


@pytest.mark.django_db
def test_access_token_says_what_it_must_and_no_more(ring: None) -> None:
    account = make_account(email_verified=True, is_staff=True)
    before = int(time.time())

    answer = sessions.log_in(email=account.email, password=PASSWORD)

    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    issued_at = claims.pop("iat")
    token_id = claims.pop("jti")
    assert before <= issued_at <= time.time()
    assert claims == {
        "iss": "souk",
        "aud": "souk",
        "sub": str(account.pk),
        "nbf": issued_at,
        "exp": issued_at + 300,
        "sid": str(Session.objects.get().pk),
        "roles": ["customer", "staff", "admin"],
        "email_verified": True,
        "amr": ["pwd"],
    }
    assert token_id not in {str(account.pk), claims["sid"]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "email", ["ada@example.org", "gone@example.org", "bob@example.org", "no address"]
)
def test_refused_log_in_hashes_once_whoever_is_named(
    ring: None, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    """Otherwise the time of a refusal would tell who is registered."""
    make_account(email="ada@example.org")
    make_account(email="gone@example.org", is_active=False)
    hashed: list[str] = []

    def counted(method: str) -> Callable[..., Any]:
        hashing = getattr(Argon2PasswordHasher, method)
        return lambda *arguments: hashed.append(method) or hashing(*arguments)

    for method in ("encode", "verify"):
        monkeypatch.setattr(Argon2PasswordHasher, method, counted(method))

    with pytest.raises(WrongCredentials):
        sessions.log_in(email=email, password="wrong")

    assert len(hashed) == 1


@pytest.mark.django_db
def test_refresh_token_is_256_random_bits_and_stored_as_its_hash(ring: None) -> None:
    answer = sessions.log_in(email=make_account().email, password=PASSWORD)

    row = RefreshToken.objects.get()
    assert bytes(row.digest) == hashlib.sha256(answer["refresh_token"].encode()).digest()
    assert len(answer["refresh_token"]) == 43
    assert (row.spent_at, row.encrypted_answer) == (None, None)


@pytest.mark.django_db
def test_refresh_tells_the_account_as_it_is_now(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    Account.objects.update(email_verified=True)

    second = sessions.refresh(refresh_token=first["refresh_token"])

    assert not access_tokens.verified(first["access_token"]).claims.email_verified
    assert access_tokens.verified(second["access_token"]).claims.email_verified


@pytest.mark.django_db
def test_refresh_does_not_lengthen_the_session(ring: None) -> None:
    answer = sessions.log_in(email=make_account().email, password=PASSWORD)
    ends = timezone.now() + timedelta(hours=1)
    Session.objects.update(expires_at=ends)

    answer = sessions.refresh(refresh_token=answer["refresh_token"])

    assert Session.objects.get().expires_at == ends
    assert 3600 - 60 < answer["refresh_expires_in"] <= 3600


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["expired", "ended", "inactive"])
def test_refusal_of_a_dead_session_leaves_everything_as_it_was(ring: None, end: str) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    now = timezone.now()
    if end == "expired":
        Session.objects.update(expires_at=now - timedelta(seconds=1))
    elif end == "ended":
        Session.objects.update(ended_at=now, end_reason="logout")
    else:
        Account.objects.update(is_active=False)
    before = everything()

    for token in (first["refresh_token"], second["refresh_token"]):  # the first within its grace
        with pytest.raises(InvalidRefreshToken):
            sessions.refresh(refresh_token=token)

    assert everything() == before


def everything() -> list[object]:
    rows = RefreshToken.objects.order_by("pk").values_list(
        "pk", "digest", "spent_at", "encrypted_answer"
    )
    return [
        [
            [bytes(value) if isinstance(value, memoryview) else value for value in row]
            for row in rows
        ],
        list(
            Session.objects.order_by("pk").values_list("pk", "ended_at", "end_reason", "expires_at")
        ),
        outbox_events(),
        RevokedSession.objects.count(),
    ]


@pytest.mark.django_db
def test_replay_in_one_session_leaves_the_others(ring: None) -> None:
    account = make_account()
    stolen, other = (sessions.log_in(email=account.email, password=PASSWORD) for _ in range(2))
    sessions.refresh(refresh_token=stolen["refresh_token"])
    age(11)

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=stolen["refresh_token"])

    sessions.refresh(refresh_token=other["refresh_token"])
    assert not revocations.is_revoked(access_tokens.verified(other["access_token"]).claims)
    assert Session.objects.filter(ended_at=None).count() == 1


@pytest.mark.django_db
def test_grandparent_of_the_token_in_use_is_a_replay_too(ring: None) -> None:
    first = sessions.log_in(email=make_account().email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])
    third = sessions.refresh(refresh_token=second["refresh_token"])
    age(11)

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=first["refresh_token"])

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=third["refresh_token"])
    assert Session.objects.get().end_reason == "replay"


@pytest.mark.django_db(transaction=True)
def test_replays_at_once_end_the_session_once(ring: None) -> None:
    first = sessions.log_in(email=make_account().email, password=PASSWORD)
    sessions.refresh(refresh_token=first["refresh_token"])
    age(11)

    results = at_once(*[lambda: sessions.refresh(refresh_token=first["refresh_token"])] * 4)

    assert [type(result) for result in results] == [InvalidRefreshToken] * 4
    assert len(outbox_events(REVOKED)) == 1


@pytest.mark.django_db(transaction=True)
def test_refresh_and_log_out_at_once_leave_no_session(ring: None) -> None:
    first = sessions.log_in(email=make_account().email, password=PASSWORD)
    token = first["refresh_token"]

    results = at_once(
        *[lambda: sessions.refresh(refresh_token=token)] * 3,
        *[lambda: sessions.log_out(refresh_token=token)] * 3,
    )

    assert {type(result) for result in results} <= {dict, InvalidRefreshToken, type(None)}
    assert Session.objects.get().end_reason == "logout"
    assert len(outbox_events(REVOKED)) == 1
    for answer in (result for result in results if isinstance(result, dict)):
        with pytest.raises(InvalidRefreshToken):
            sessions.refresh(refresh_token=answer["refresh_token"])


@pytest.mark.django_db
def test_end_of_a_session_is_published_with_all_that_refuses_its_tokens(ring: None) -> None:
    account = make_account()
    answer = sessions.log_in(email=account.email, password=PASSWORD)

    sessions.log_out(refresh_token=answer["refresh_token"])

    session = Session.objects.get()
    assert session.ended_at is not None
    (event,) = outbox_events(REVOKED)
    assert event["subject"] == str(account.pk)
    assert event["sequence"] == int(session.ended_at.timestamp() * 1_000_000)
    assert event["data"] == {
        "user_id": str(account.pk),
        "session_id": str(session.pk),
        "revoked_at": session.ended_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.django_db
def test_log_out_with_a_spent_token_ends_the_session(ring: None) -> None:
    first = sessions.log_in(email=make_account().email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])

    sessions.log_out(refresh_token=first["refresh_token"])

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=second["refresh_token"])
    assert len(outbox_events(REVOKED)) == 1
