"""The key ring: published before it signs, kept while its tokens live, never in the clear."""

import runpy
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

import users
from servicekit.auth import jwks, revocations
from servicekit.auth import tokens as access_tokens
from servicekit.auth.token_rules import LEEWAY_SECONDS, LONGEST_LIFE_SECONDS
from servicekit.testing.client import Caller, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from servicekit.testing.tokens import make_claims
from tests.factories import PASSWORD, make_account
from users.errors import InvalidRefreshToken, NoSigningKey, UnreadableKeys
from users.models import SigningKey
from users.services import sessions, signing_keys


def age(seconds: float) -> None:
    """Let every key have changed its state `seconds` earlier."""
    for row in SigningKey.objects.all():
        row.changed_at -= timedelta(seconds=seconds)
        row.save()
    signing_keys.forget_ring()


def published() -> set[str]:
    signing_keys.forget_ring()
    return {key["kid"] for key in signing_keys.jwks()["keys"]}


def states() -> dict[str, str]:
    return {row.state: row.kid for row in SigningKey.objects.all()}


@pytest.mark.django_db
def test_ring_begins_with_a_current_and_a_next_key(ring: None) -> None:
    assert set(states()) == {"current", "next"}
    assert signing_keys.ensure_signing_keys() == []
    assert published() == set(states().values())


@pytest.mark.django_db(transaction=True)
def test_ring_is_made_once_by_many_at_once() -> None:
    results = at_once(*[signing_keys.ensure_signing_keys] * 5)

    assert sorted(len(each) for each in results) == [0, 0, 0, 0, 2]
    assert sorted(SigningKey.objects.values_list("state", flat=True)) == ["current", "next"]


@pytest.mark.django_db
def test_published_keys_hold_no_private_part_and_are_named_by_their_thumbprint(ring: None) -> None:
    for key in signing_keys.jwks()["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert (
            signing_keys.thumbprint({name: key[name] for name in ("kty", "crv", "x", "y")})
            == key["kid"]
        )


@pytest.mark.django_db
def test_keys_are_encrypted_at_rest(ring: None) -> None:
    for row in SigningKey.objects.all():
        assert b"PRIVATE KEY" not in bytes(row.encrypted_pem)
        assert b"PRIVATE KEY" in signing_keys.cipher().decrypt(bytes(row.encrypted_pem))


@pytest.mark.django_db
def test_keys_survive_a_new_encryption_key_in_front(ring: None, settings: Any) -> None:
    before = published()

    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.KEY_ENCRYPTION_KEYS]

    assert published() == before


@pytest.mark.django_db
def test_rotation_waits_until_the_next_key_was_published_long_enough(ring: None) -> None:
    before = states()

    with pytest.raises(signing_keys.NextKeyTooYoung) as refusal:
        signing_keys.rotate_signing_key()

    assert 0 < refusal.value.wait_seconds <= signing_keys.PUBLISH_AHEAD_SECONDS
    assert states() == before


@pytest.mark.django_db
def test_rotation_moves_every_key_one_place(ring: None) -> None:
    before = states()
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    kid = signing_keys.rotate_signing_key()

    after = states()
    assert kid == before["next"] == after["current"]
    assert after["previous"] == before["current"]
    assert after["next"] not in before.values()
    assert published() == {after["current"], after["next"], after["previous"]}


@pytest.mark.django_db
def test_second_rotation_waits_for_the_last_token_of_the_previous_key(ring: None) -> None:
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)
    signing_keys.rotate_signing_key()
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    with pytest.raises(signing_keys.NextKeyTooYoung):
        signing_keys.rotate_signing_key()

    age(signing_keys.KEEP_PREVIOUS_SECONDS)
    previous = states()["previous"]
    assert previous not in published()
    signing_keys.rotate_signing_key()
    assert SigningKey.objects.get(kid=previous).state == "retired"


@pytest.mark.django_db
def test_rotation_logs_nobody_out(ring: None) -> None:
    account = make_account()
    old = sessions.log_in(email=account.email, password=PASSWORD)
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    signing_keys.rotate_signing_key()

    new = sessions.log_in(email=account.email, password=PASSWORD)
    kids = {jwt.get_unverified_header(each["access_token"])["kid"] for each in (old, new)}
    assert len(kids) == 2
    access_tokens.forget_verified()
    jwks.forget()
    for each in (old, new):
        assert access_tokens.verified(each["access_token"]).claims.subject == account.pk
    sessions.refresh(refresh_token=old["refresh_token"])


@pytest.mark.django_db
def test_stolen_key_is_refused_at_once_and_nobody_has_to_log_in_again(
    ring: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_account()
    before = sessions.log_in(email=account.email, password=PASSWORD)
    stolen = set(states().values())
    forged = forge_staff_token(SigningKey.objects.get(state="current"))
    assert access_tokens.verified(forged).claims.roles == {"customer", "staff"}

    call_command("rotate_signing_key", "--withdraw")

    assert not published() & stolen
    # What was verified before is remembered, until the key set is asked for again.
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)
    for token in (forged, before["access_token"]):
        with pytest.raises(access_tokens.InvalidToken):
            access_tokens.verified(token)
    renewed = sessions.refresh(refresh_token=before["refresh_token"])
    assert access_tokens.verified(renewed["access_token"]).claims.subject == account.pk
    said = capsys.readouterr().out
    assert all(kid in said for kid in stolen)
    assert "within 60 s" in said


def forge_staff_token(key: SigningKey) -> str:
    """What a thief of the key signs for himself."""
    pem = signing_keys.cipher().decrypt(bytes(key.encrypted_pem))
    claims = make_claims(roles=["customer", "staff"])
    return jwt.encode(claims, pem, algorithm="ES256", headers={"kid": key.kid, "typ": "at+jwt"})


@pytest.mark.django_db
def test_withdrawn_and_retired_keys_never_come_back(ring: None) -> None:
    first = set(states().values())
    signing_keys.withdraw_signing_keys()
    second = signing_keys.withdraw_signing_keys()

    assert first.isdisjoint(published())
    assert set(second.withdrawn_kids).isdisjoint(published())
    assert second.signing_kid in published()
    assert len(published()) == 2


@pytest.mark.django_db
def test_encryption_key_is_changed_by_two_starts(
    ring: None, settings: Any, nobody: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    account, kids = make_account(), published()
    (old,) = settings.KEY_ENCRYPTION_KEYS
    new = Fernet.generate_key().decode()

    settings.KEY_ENCRYPTION_KEYS = [new, old]
    call_command("ensure_signing_keys")
    settings.KEY_ENCRYPTION_KEYS = [new]
    call_command("ensure_signing_keys")

    assert "2 encrypted anew" in capsys.readouterr().out
    assert published() == kids
    assert sessions.log_in(email=account.email, password=PASSWORD)["access_token"]


@pytest.mark.django_db
def test_ring_that_cannot_be_read_is_a_problem_and_stops_the_start(
    ring: None, settings: Any, nobody: Caller
) -> None:
    account = make_account()
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    signing_keys.forget_ring()

    key_set = nobody.get("/.well-known/jwks.json")
    log_in = nobody.post("/api/auth/token/", {"email": account.email, "password": PASSWORD})

    for answer in (key_set, log_in):
        problem(answer, 503, "signing_keys_unreadable")
        assert int(answer["Retry-After"]) > 0
    with pytest.raises(CommandError, match="KEY_ENCRYPTION_KEY"):
        call_command("ensure_signing_keys")

    call_command("rotate_signing_key", "--withdraw")
    call_command("ensure_signing_keys")
    assert sessions.log_in(email=account.email, password=PASSWORD)["access_token"]


@pytest.mark.django_db
def test_repeated_refresh_whose_answer_cannot_be_read_any_more_is_refused(
    ring: None, settings: Any
) -> None:
    account = make_account()
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    sessions.refresh(refresh_token=tokens["refresh_token"])
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(InvalidRefreshToken):
        sessions.refresh(refresh_token=tokens["refresh_token"])


@pytest.mark.django_db
def test_database_allows_one_key_of_each_state(ring: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SigningKey.objects.create(kid="second", state="current", encrypted_pem=b"x")


@pytest.mark.django_db
def test_ring_without_keys_says_what_to_run() -> None:
    signing_keys.forget_ring()

    with pytest.raises(NoSigningKey, match="ensure_signing_keys"):
        signing_keys.ring()


@pytest.mark.django_db
def test_commands_say_what_they_did(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("ensure_signing_keys")
    with pytest.raises(CommandError, match="--wait"):
        call_command("rotate_signing_key")
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)
    call_command("rotate_signing_key")
    call_command("rotate_signing_key", "--withdraw")

    said = capsys.readouterr().out
    assert "The signing keys are there." in said
    assert said.count("Signing with") == 2
    assert "Withdrawn: " in said


@pytest.mark.django_db
def test_rotation_waits_when_asked_to(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    age(signing_keys.PUBLISH_AHEAD_SECONDS - 1)

    call_command("rotate_signing_key", "--wait")

    assert "Signing with" in capsys.readouterr().out
    assert SigningKey.objects.filter(
        state="previous", changed_at__gt=timezone.now() - timedelta(minutes=1)
    ).exists()


@pytest.mark.django_db
def test_ring_lost_in_part_is_completed_and_keeps_its_signing_key(ring: None) -> None:
    current = states()["current"]
    SigningKey.objects.filter(state="next").delete()

    made = signing_keys.ensure_signing_keys()

    assert states() == {"current": current, "next": made[0]}
    assert len(made) == 1


@pytest.mark.django_db
def test_new_keys_are_encrypted_with_the_first_encryption_key(ring: None, settings: Any) -> None:
    (old,), new = settings.KEY_ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, old]
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    signing_keys.rotate_signing_key()

    stored = {row.state: bytes(row.encrypted_pem) for row in SigningKey.objects.all()}
    assert b"PRIVATE KEY" in Fernet(new).decrypt(stored["next"])
    assert b"PRIVATE KEY" in Fernet(old).decrypt(stored["current"])
    with pytest.raises(InvalidToken):
        Fernet(old).decrypt(stored["next"])


@pytest.mark.django_db
def test_keys_cannot_be_read_with_another_encryption_key(ring: None, settings: Any) -> None:
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    signing_keys.forget_ring()

    with pytest.raises(UnreadableKeys):
        signing_keys.ring()


@pytest.mark.django_db
def test_refusal_of_a_rotation_tells_how_long_to_wait(ring: None) -> None:
    age(signing_keys.PUBLISH_AHEAD_SECONDS - 30)

    with pytest.raises(signing_keys.NextKeyTooYoung, match="more") as refusal:
        signing_keys.rotate_signing_key()

    assert 25 <= refusal.value.wait_seconds <= 30


@pytest.mark.django_db
def test_previous_key_is_published_until_its_last_token_is_over(ring: None) -> None:
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)
    signing_keys.rotate_signing_key()
    previous = states()["previous"]

    age(signing_keys.KEEP_PREVIOUS_SECONDS - 20)
    assert previous in published()

    age(21)
    assert published() == {states()["current"], states()["next"]}


def test_ring_turns_more_slowly_than_verifiers_forget() -> None:
    # A verifier's set may be a refresh old, and so may the ring of the process that answered it.
    assert (
        signing_keys.PUBLISH_AHEAD_SECONDS >= jwks.REFRESH_SECONDS + signing_keys.RING_CACHE_SECONDS
    )
    assert (
        signing_keys.PUBLISH_AHEAD_SECONDS
        >= signing_keys.JWKS_MAX_AGE_SECONDS + signing_keys.RING_CACHE_SECONDS
    )
    # The last token may be signed by a process with an older ring, and is taken a little after its
    # end.
    last_token_seconds = (
        signing_keys.RING_CACHE_SECONDS + signing_keys.LIFE_SECONDS + LEEWAY_SECONDS
    )
    assert last_token_seconds <= signing_keys.KEEP_PREVIOUS_SECONDS
    assert signing_keys.LIFE_SECONDS <= LONGEST_LIFE_SECONDS


def test_ring_at_its_fastest_turns_more_slowly_than_verifiers_may_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A verifier that has not asked since the next key was published may ask at its first token."""
    margin = 12  # the least that SIGNING_KEY_MARGIN_SECONDS may be
    asking_seconds = jwks.CONNECT_SECONDS + jwks.READ_SECONDS

    monkeypatch.setenv("SIGNING_KEY_MARGIN_SECONDS", str(margin - 1))
    with pytest.raises(ImproperlyConfigured, match="SIGNING_KEY_MARGIN_SECONDS"):
        runpy.run_path(str(Path(users.__file__).with_name("settings.py")))
    assert margin + margin // 2 >= (
        jwks.UNKNOWN_KEY_PAUSE_SECONDS + asking_seconds + signing_keys.RING_CACHE_SECONDS
    )
    assert margin >= signing_keys.RING_CACHE_SECONDS + LEEWAY_SECONDS


@pytest.mark.django_db(transaction=True)
def test_rotations_at_once_turn_the_ring_once(ring: None) -> None:
    before = states()
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    results = at_once(*[signing_keys.rotate_signing_key] * 8)

    assert sorted(type(each).__name__ for each in results) == ["NextKeyTooYoung"] * 7 + ["str"]
    after = states()
    assert (after["previous"], after["current"]) == (before["current"], before["next"])
    assert SigningKey.objects.count() == 3


@pytest.mark.django_db
def test_ring_is_read_once_for_many_tokens(ring: None, django_assert_num_queries: Any) -> None:
    signing_keys.forget_ring()

    with django_assert_num_queries(1):
        assert signing_keys.ring() is signing_keys.ring()
        assert signing_keys.jwks()["keys"]


@pytest.mark.django_db
def test_signing_key_is_named_in_the_token_and_held_by_verifiers_already(ring: None) -> None:
    account = make_account()
    verifier = jwks.KeySet(lambda: orjson.dumps(signing_keys.jwks()), background=False)
    verifier.refresh_if_old()
    age(signing_keys.PUBLISH_AHEAD_SECONDS + 1)

    signing = signing_keys.rotate_signing_key()

    answer = sessions.log_in(email=account.email, password=PASSWORD)
    header = jwt.get_unverified_header(answer["access_token"])
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": signing}
    assert signing in verifier.keys
    assert jwt.decode(
        answer["access_token"], verifier.keys[signing], ["ES256"], audience="souk", issuer="souk"
    )


@pytest.mark.django_db
def test_rotation_ends_no_session_and_publishes_nothing(ring: None) -> None:
    account = make_account()
    answer = sessions.log_in(email=account.email, password=PASSWORD)
    before = outbox_events()

    for _ in range(2):
        age(signing_keys.KEEP_PREVIOUS_SECONDS + 1)
        signing_keys.rotate_signing_key()

    assert outbox_events() == before
    fresh = sessions.refresh(refresh_token=answer["refresh_token"])
    assert not revocations.is_revoked(access_tokens.verified(fresh["access_token"]).claims)
    assert SigningKey.objects.filter(state="retired").count() == 1


@pytest.mark.django_db
def test_token_of_a_retired_key_is_refused(ring: None) -> None:
    account = make_account()
    answer = sessions.log_in(email=account.email, password=PASSWORD)

    for _ in range(2):
        age(signing_keys.KEEP_PREVIOUS_SECONDS + 1)
        signing_keys.rotate_signing_key()

    jwks.forget()
    access_tokens.forget_verified()
    with pytest.raises(access_tokens.InvalidToken) as refusal:
        access_tokens.verified(answer["access_token"])
    assert refusal.value.code == "key"


def test_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 7638, section 3.1."""
    members = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t"
        "Soc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YG"
        "jQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-b"
        "FTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
    }

    assert signing_keys.thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
