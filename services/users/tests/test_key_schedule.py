"""The ring turns by itself, and under traffic; a private key never leaves it."""

import base64
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from servicekit.auth import jwks
from servicekit.auth.token_rules import LEEWAY_SECONDS
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from users import tasks
from users.celery import app
from users.models import RefreshToken, SigningKey
from users.services import key_schedule, sessions, signing_keys


def age(**period: float) -> None:
    """Let every key have changed its state that much earlier."""
    for row in SigningKey.objects.all():
        row.changed_at -= timedelta(**period)
        row.save()
    signing_keys.forget_ring()


def states() -> dict[str, str]:
    return {row.state: row.kid for row in SigningKey.objects.all()}


@pytest.mark.django_db
def test_key_is_rotated_when_it_has_signed_for_its_days(ring: None, settings: Any) -> None:
    before = states()
    settings.SIGNING_KEY_DAYS = 7

    age(days=6, hours=23)
    assert tasks.rotate_signing_key_when_due() is False
    assert states() == before

    age(hours=1)
    assert tasks.rotate_signing_key_when_due() is True
    assert tasks.rotate_signing_key_when_due() is False

    after = states()
    assert (after["previous"], after["current"]) == (before["current"], before["next"])


@pytest.mark.django_db
def test_due_key_goes_on_signing_until_the_next_was_published_for_long_enough(ring: None) -> None:
    SigningKey.objects.filter(state="current").update(
        changed_at=timezone.now() - timedelta(days=99)
    )
    before = states()

    assert key_schedule.rotate_when_due() is None
    assert states() == before

    age(seconds=signing_keys.PUBLISH_AHEAD_SECONDS + 1)
    assert key_schedule.rotate_when_due() == before["next"]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_rotate_a_due_key_once(ring: None) -> None:
    age(days=31)
    before = states()

    results = at_once(*[tasks.rotate_signing_key_when_due] * 6)

    assert sorted(results) == [False] * 5 + [True]
    assert states()["current"] == before["next"]
    assert SigningKey.objects.count() == 3


@pytest.mark.django_db
def test_ring_that_was_never_made_is_not_rotated() -> None:
    assert key_schedule.rotate_when_due() is None
    assert not SigningKey.objects.exists()


def test_rotation_is_on_the_schedule() -> None:
    app.loader.import_default_modules()

    assert set(app.conf.beat_schedule) == {"users.rotate_signing_key_when_due", "servicekit.purge"}
    assert set(app.conf.beat_schedule) <= set(app.tasks)


@pytest.mark.django_db
def test_ten_rotations_as_fast_as_the_ring_permits_refuse_no_valid_token(ring: None) -> None:
    """The clock is the ring's: every step lets all keys be older, and tokens with them.

    The verifier is as lazy as any may be: it asks only when its set is too old to be used, never
    for an unknown key, and gets what a users process has had in memory for as long as that may be.
    """
    tokens: list[tuple[int, str]] = []
    rotations, now, step = 0, 0, 5
    held_by_users = orjson.dumps(signing_keys.jwks())

    while rotations < 10:
        if now % int(jwks.TOO_OLD_SECONDS) == 0:
            held_by_verifier = jwks.read_keys(held_by_users)
        tokens.append((now, signing_keys.signing_key().kid))
        held_by_users = orjson.dumps(signing_keys.jwks())
        age(seconds=step)
        now += step
        try:
            signing_keys.rotate_signing_key()
            rotations += 1
        except signing_keys.NextKeyTooYoung:
            pass
        last = now - signing_keys.LIFE_SECONDS - LEEWAY_SECONDS
        tokens = [(issued, kid) for issued, kid in tokens if issued > last]
        assert {kid for _, kid in tokens} <= set(held_by_verifier), f"after {rotations} rotations"

    assert now < 10 * (signing_keys.KEEP_PREVIOUS_SECONDS + 2 * step)


@pytest.mark.django_db
def test_withdrawal_says_how_many_sessions_must_refresh(
    ring: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    account = make_account()
    going_on, ended, idle = (
        sessions.log_in(email=account.email, password=PASSWORD) for _ in range(3)
    )
    sessions.refresh(refresh_token=going_on["refresh_token"])
    sessions.log_out(refresh_token=ended["refresh_token"])
    old = timezone.now() - timedelta(seconds=signing_keys.LIFE_SECONDS + 1)
    sid = jwt.decode(idle["access_token"], options={"verify_signature": False})["sid"]
    RefreshToken.objects.filter(session_id=sid).update(issued_at=old)
    kids = set(states().values())

    with caplog.at_level(logging.WARNING, "users"):
        call_command("rotate_signing_key", "--withdraw")

    assert "must refresh their access token: 1;" in capsys.readouterr().out
    (record,) = [each for each in caplog.records if each.message == "signing keys withdrawn"]
    assert (set(record.__dict__["kids"]), record.__dict__["sessions"]) == (kids, 1)
    for each in (idle, going_on):
        assert sessions.refresh(refresh_token=each["refresh_token"])["access_token"]


def private_parts() -> Iterator[bytes]:
    """Every private key of the ring, in each form in which it could be written somewhere."""
    for row in SigningKey.objects.all():
        pem = signing_keys.cipher().decrypt(bytes(row.encrypted_pem))
        key = serialization.load_pem_private_key(pem, password=None)
        number = key.private_numbers().private_value  # type: ignore[union-attr]
        raw = number.to_bytes(32, "big")
        yield b"".join(pem.splitlines()[1:-1])[:60]
        yield pem.splitlines()[1]
        yield str(number).encode()
        yield raw
        yield raw.hex().encode()
        yield base64.urlsafe_b64encode(raw).rstrip(b"=")
        yield base64.b64encode(raw).rstrip(b"=")


@pytest.mark.django_db
def test_private_key_is_in_no_answer_no_event_no_log_and_no_table(
    ring: None,
    nobody: Caller,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    account = make_account()
    said = []
    for turn in ("--wait", "--withdraw"):
        age(seconds=signing_keys.KEEP_PREVIOUS_SECONDS)
        call_command("rotate_signing_key", turn)
        call_command("ensure_signing_keys")
        key_set = nobody.get("/.well-known/jwks.json")
        log_in = nobody.post("/api/auth/token/", {"email": account.email, "password": PASSWORD})
        assert (key_set.status_code, log_in.status_code) == (200, 200)
        said += [key_set.content, log_in.content]
    said += [bytes(row.data) for row in OutboxEvent.objects.all()]
    said += [capsys.readouterr().out.encode(), caplog.text.encode(), stored()]
    said += [repr(record.__dict__).encode() for record in caplog.records]

    everything = b"\n".join(said)

    assert SigningKey.objects.filter(state="retired").exists()
    assert [part for part in private_parts() if part in everything] == []
    assert b"PRIVATE KEY" not in everything


def stored() -> bytes:
    """Return every row of every table, as text and with the bytes of its binary columns."""
    written = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  our own names
            for row in cursor.fetchall():
                written += [bytes(c) if isinstance(c, memoryview) else str(c).encode() for c in row]
    return b"\n".join(written)
