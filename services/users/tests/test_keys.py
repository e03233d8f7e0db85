"""The key ring: published before it signs, kept while its tokens live, never in the clear."""

import threading
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from joserfc.jwk import ECKey

from servicekit import keyset
from servicekit import tokens as access_tokens
from tests.factories import PASSWORD, make_account
from users import keys, sessions
from users.models import SigningKey


def age(seconds: float) -> None:
    """Let every key have changed its state `seconds` earlier."""
    for row in SigningKey.objects.all():
        row.changed_at -= timedelta(seconds=seconds)
        row.save()
    keys.forget_ring()


def published() -> set[str]:
    keys.forget_ring()
    return {key["kid"] for key in keys.jwks()["keys"]}


def states() -> dict[str, str]:
    return {row.state: row.kid for row in SigningKey.objects.all()}


@pytest.mark.django_db
def test_ring_begins_with_a_current_and_a_next_key(ring: None) -> None:
    assert set(states()) == {"current", "next"}
    assert keys.ensure_signing_keys() == []
    assert published() == set(states().values())


@pytest.mark.django_db(transaction=True)
def test_ring_is_made_once_by_many_at_once() -> None:
    barrier = threading.Barrier(5)

    def run() -> None:
        barrier.wait(timeout=20)
        try:
            keys.ensure_signing_keys()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sorted(SigningKey.objects.values_list("state", flat=True)) == ["current", "next"]


@pytest.mark.django_db
def test_published_keys_hold_no_private_part_and_are_named_by_their_thumbprint(ring: None) -> None:
    for key in keys.jwks()["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert (
            ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")}).thumbprint()
            == key["kid"]
        )


@pytest.mark.django_db
def test_keys_are_encrypted_at_rest(ring: None) -> None:
    for row in SigningKey.objects.all():
        assert b"PRIVATE KEY" not in bytes(row.encrypted_pem)
        assert b"PRIVATE KEY" in keys.cipher().decrypt(bytes(row.encrypted_pem))


@pytest.mark.django_db
def test_keys_survive_a_new_encryption_key_in_front(ring: None, settings: Any) -> None:
    before = published()

    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.KEY_ENCRYPTION_KEYS]

    assert published() == before


@pytest.mark.django_db
def test_rotation_waits_until_the_next_key_was_published_long_enough(ring: None) -> None:
    before = states()

    with pytest.raises(keys.NextKeyTooYoung) as refusal:
        keys.rotate_signing_key()

    assert 0 < refusal.value.wait_seconds <= keys.PUBLISH_AHEAD_SECONDS
    assert states() == before


@pytest.mark.django_db
def test_rotation_moves_every_key_one_place(ring: None) -> None:
    before = states()
    age(keys.PUBLISH_AHEAD_SECONDS + 1)

    kid = keys.rotate_signing_key()

    after = states()
    assert kid == before["next"] == after["current"]
    assert after["previous"] == before["current"]
    assert after["next"] not in before.values()
    assert published() == {after["current"], after["next"], after["previous"]}


@pytest.mark.django_db
def test_second_rotation_waits_for_the_last_token_of_the_previous_key(ring: None) -> None:
    age(keys.PUBLISH_AHEAD_SECONDS + 1)
    keys.rotate_signing_key()
    age(keys.PUBLISH_AHEAD_SECONDS + 1)

    with pytest.raises(keys.NextKeyTooYoung):
        keys.rotate_signing_key()

    age(keys.KEEP_PREVIOUS_SECONDS)
    previous = states()["previous"]
    assert previous not in published()
    keys.rotate_signing_key()
    assert SigningKey.objects.get(kid=previous).state == "retired"


@pytest.mark.django_db
def test_rotation_logs_nobody_out(ring: None) -> None:
    account = make_account()
    old = sessions.log_in(email=account.email, password=PASSWORD)
    age(keys.PUBLISH_AHEAD_SECONDS + 1)

    keys.rotate_signing_key()

    new = sessions.log_in(email=account.email, password=PASSWORD)
    kids = {jwt.get_unverified_header(one["access_token"])["kid"] for one in (old, new)}
    assert len(kids) == 2
    access_tokens.forget_verified()
    keyset.forget()
    for one in (old, new):
        assert access_tokens.verify(one["access_token"]).subject == account.pk
    sessions.refresh(refresh_token=old["refresh_token"])


@pytest.mark.django_db
def test_stolen_key_is_out_after_two_unsafe_rotations(ring: None) -> None:
    stolen = states()["current"]

    keys.rotate_signing_key(unsafe_now=True)
    keys.rotate_signing_key(unsafe_now=True)

    assert stolen not in published()


@pytest.mark.django_db
def test_database_allows_one_key_of_each_state(ring: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SigningKey.objects.create(kid="second", state="current", encrypted_pem=b"x")


@pytest.mark.django_db
def test_ring_without_keys_says_what_to_run() -> None:
    keys.forget_ring()

    with pytest.raises(SigningKey.DoesNotExist, match="ensure_signing_keys"):
        keys.ring()


@pytest.mark.django_db
def test_commands_say_what_they_did(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("ensure_signing_keys")
    with pytest.raises(CommandError, match="--wait"):
        call_command("rotate_signing_key")
    age(keys.PUBLISH_AHEAD_SECONDS + 1)
    call_command("rotate_signing_key")
    call_command("rotate_signing_key", "--now")

    said = capsys.readouterr().out
    assert "The signing keys are there." in said
    assert said.count("Signing with") == 2


@pytest.mark.django_db
def test_rotation_waits_when_asked_to(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    age(keys.PUBLISH_AHEAD_SECONDS - 1)

    call_command("rotate_signing_key", "--wait")

    assert "Signing with" in capsys.readouterr().out
    assert SigningKey.objects.filter(
        state="previous", changed_at__gt=timezone.now() - timedelta(minutes=1)
    ).exists()
