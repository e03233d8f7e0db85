"""Log-in with a passkey, as the second step and alone; what is no proof, and what it leaves."""

import hashlib
from typing import Any

import jwt
import pytest

from servicekit.testing.races import at_once
from tests.authenticators import (
    ORIGIN,
    PRESENT,
    Authenticator,
    Owner,
    bytes_of,
    text_of,
    with_passkey,
)
from tests.factories import PASSWORD, make_account
from users.errors import InvalidChallenge, SecondFactorRequired, WrongLogInCode
from users.models import Account, Passkey, SecurityEvent, Session
from users.passkey_errors import WrongLogInPasskey
from users.services import accounts, login_attempts, sessions
from users.services.factors import passkey_log_in, second_step

pytestmark = pytest.mark.django_db
SOURCE = "192.0.2.7"


def first_step(account: Account) -> dict[str, Any]:
    with pytest.raises(SecondFactorRequired) as refusal:
        sessions.log_in(email=account.email, password=PASSWORD, source=SOURCE)
    return refusal.value.members


def second(challenge: str, passkey: Any) -> Any:
    return second_step.answer_challenge(
        challenge=challenge, proof={"passkey": passkey}, source=SOURCE
    )


def log_in(credential: Any) -> Any:
    return passkey_log_in.log_in(credential=credential, source=SOURCE)


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return claims


def kinds(account: Account) -> list[str]:
    rows = SecurityEvent.objects.filter(account_id=account.pk).order_by("id")
    return list(rows.values_list("kind", flat=True))


def state() -> list[Any]:
    """What a refused log-in leaves as it is."""
    return [
        list(Passkey.objects.order_by("pk").values()),
        Session.objects.count(),
    ]


def test_second_step_by_passkey(ring: None) -> None:
    owner = with_passkey()
    told = first_step(owner.account)

    tokens = second(told["challenge"], owner.key.get(told["passkey"]))

    assert [each["id"] for each in told["passkey"]["allowCredentials"]] == [
        text_of(owner.key.credential_id)
    ]
    assert told["challenge"] not in str(told["passkey"])
    assert claims_of(tokens)["amr"] == ["pwd", "pop"]
    assert owner.passkey.last_used_at is not None
    assert owner.passkey.sign_count == 2
    with pytest.raises(InvalidChallenge):
        second(told["challenge"], owner.key.get(told["passkey"]))


def test_recovery_code_stands_for_a_passkey(ring: None) -> None:
    owner = with_passkey()
    challenge = first_step(owner.account)["challenge"]

    with pytest.raises(WrongLogInCode):
        second_step.answer_challenge(challenge=challenge, proof={"code": "123456"})
    assert second_step.answer_challenge(challenge=challenge, proof={"code": owner.recovery_code()})


def test_log_in_by_passkey_alone(ring: None) -> None:
    owner = with_passkey()
    options = passkey_log_in.begin()

    tokens = log_in(owner.key.get(options))

    assert (options["allowCredentials"], options["userVerification"]) == ([], "required")
    assert claims_of(tokens)["amr"] == ["pop", "mfa"]
    assert claims_of(tokens)["sub"] == str(owner.account.pk)
    renewed = sessions.refresh(refresh_token=tokens["refresh_token"])
    assert claims_of(renewed)["amr"] == ["pop", "mfa"]


def changed(credential: Any, name: str, text: str) -> Any:
    return {**credential, "response": {**credential["response"], name: text}}


def flipped(credential: Any, name: str) -> Any:
    data = bytearray(bytes_of(credential["response"][name]))
    data[-1] ^= 1
    return changed(credential, name, text_of(bytes(data)))


def signed_by_another(owner: Owner, options: Any, **wrong: Any) -> Any:
    """What somebody sends who knows the id of the key, and has not the key."""
    thief = Authenticator(credential_id=owner.key.credential_id, count=owner.key.count)
    thief.user_handle = owner.account.pk.bytes
    return thief.get(options, **wrong)


OTHER = hashlib.sha256(b"other").digest()
#: What is no answer to a challenge, whether it is a second step or a log-in.
FORGERIES: dict[str, Any] = {
    "other origin": lambda o, to: o.key.get(to, origin="https://localhost.evil.example"),
    "origin's other port": lambda o, to: o.key.get(to, origin="http://localhost:8081"),
    "origin in a list": lambda o, to: o.key.get(to, origin=[ORIGIN]),
    "other domain": lambda o, to: o.key.get(to, rp_id="evil.example"),
    "page within another site's": lambda o, to: o.key.get(to, crossOrigin=True),
    "registration": lambda o, to: o.key.get(to, type="webauthn.create"),
    "other challenge": lambda o, to: o.key.get(to, challenge=text_of(OTHER)),
    "challenge of nobody": lambda o, to: o.key.get(to, challenge=7),
    "other key": signed_by_another,
    "unknown key": lambda o, to: Authenticator(user_handle=o.account.pk.bytes).get(to),
    "signature": lambda o, to: flipped(o.key.get(to), "signature"),
    "no signature": lambda o, to: changed(o.key.get(to), "signature", "AA"),
    "signed data": lambda o, to: flipped(o.key.get(to), "authenticatorData"),
    "short data": lambda o, to: changed(o.key.get(to), "authenticatorData", "AAAA"),
    "client data": lambda o, to: flipped(o.key.get(to), "clientDataJSON"),
    "deep client data": lambda o, to: changed(
        o.key.get(to), "clientDataJSON", text_of(b"[" * 6000)
    ),
    "ids that differ": lambda o, to: {**o.key.get(to), "rawId": "AAAA"},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_no_second_step(ring: None, name: str) -> None:
    owner = with_passkey()
    told = first_step(owner.account)
    before = state()

    with pytest.raises(WrongLogInPasskey) as refusal:
        second(told["challenge"], FORGERIES[name](owner, told["passkey"]))

    assert refusal.value.members == {"tries_left": 4}
    assert state() == before
    assert kinds(owner.account)[-1] == "login_failed"
    assert second(told["challenge"], owner.key.get(told["passkey"]))


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_no_log_in(ring: None, name: str) -> None:
    owner = with_passkey()
    options = passkey_log_in.begin()
    before = state()

    with pytest.raises(WrongLogInPasskey):
        log_in(FORGERIES[name](owner, options))

    assert state() == before
    assert log_in(owner.key.get(options))


def test_key_of_another_account_is_refused(ring: None) -> None:
    owner, other = with_passkey(), with_passkey()
    told = first_step(owner.account)

    with pytest.raises(WrongLogInPasskey):
        second(told["challenge"], other.key.get(told["passkey"]))
    options = passkey_log_in.begin()
    other.key.user_handle = owner.account.pk.bytes
    with pytest.raises(WrongLogInPasskey):
        log_in(other.key.get(options))

    assert not Session.objects.exists()


def test_log_in_alone_asks_the_authenticator_who_it_is(ring: None) -> None:
    owner = with_passkey(key=Authenticator(flags=PRESENT))

    with pytest.raises(WrongLogInPasskey):
        log_in(owner.key.get(passkey_log_in.begin()))

    told = first_step(owner.account)
    assert second(told["challenge"], owner.key.get(told["passkey"]))


def test_challenge_of_one_step_is_none_of_another(ring: None) -> None:
    owner = with_passkey()
    told = first_step(owner.account)

    with pytest.raises(WrongLogInPasskey):
        log_in(owner.key.get(told["passkey"]))
    with pytest.raises(WrongLogInPasskey):
        second(told["challenge"], owner.key.get(passkey_log_in.begin()))

    assert not Session.objects.exists()


@pytest.mark.parametrize("count", [1, 0])
def test_log_in_that_is_sent_again_is_refused(ring: None, count: int) -> None:
    owner = with_passkey(key=Authenticator(count=count))
    credential = owner.key.get(passkey_log_in.begin())
    log_in(credential)

    with pytest.raises(WrongLogInPasskey):
        log_in(credential)

    assert Session.objects.count() == 1
    assert "passkey_refused" not in kinds(owner.account)


@pytest.mark.parametrize("count", [3, 2, 0])
def test_count_that_does_not_rise_is_refused_and_logged(ring: None, count: int) -> None:
    owner = with_passkey()
    log_in(owner.key.get(passkey_log_in.begin()))
    log_in(owner.key.get(passkey_log_in.begin()))
    before = state()
    told = first_step(owner.account)

    owner.key.count = count
    with pytest.raises(WrongLogInPasskey):
        log_in(owner.key.get(passkey_log_in.begin()))
    owner.key.count = count
    with pytest.raises(WrongLogInPasskey):
        second(told["challenge"], owner.key.get(told["passkey"]))

    assert state() == before
    assert kinds(owner.account).count("passkey_refused") == 2


def test_forged_count_is_not_logged_as_a_copy(ring: None) -> None:
    owner = with_passkey()
    log_in(owner.key.get(passkey_log_in.begin()))
    owner.key.count = 0

    with pytest.raises(WrongLogInPasskey):
        log_in(signed_by_another(owner, passkey_log_in.begin()))

    assert "passkey_refused" not in kinds(owner.account)


def test_inactive_account_is_refused(ring: None) -> None:
    owner = with_passkey()
    accounts.deactivate(account=owner.account)

    with pytest.raises(WrongLogInPasskey):
        log_in(owner.key.get(passkey_log_in.begin()))

    assert not Session.objects.exists()


def test_strangers_guesses_do_not_hold_up_a_passkey(ring: None) -> None:
    owner = with_passkey()
    for _ in range(5):
        login_attempts.take_try(email=owner.account.email, source=SOURCE)

    assert log_in(owner.key.get(passkey_log_in.begin()))


def test_passkey_is_the_second_factor_of_staff(ring: None, settings: Any) -> None:
    settings.SECOND_FACTOR_FOR_STAFF = True
    owner = with_passkey(make_account(is_staff=True))
    told = first_step(owner.account)

    for tokens in (
        second(told["challenge"], owner.key.get(told["passkey"])),
        log_in(owner.key.get(passkey_log_in.begin())),
    ):
        assert "second_factor_missing" not in tokens
        assert "staff" in claims_of(tokens)["roles"]


@pytest.mark.django_db(transaction=True)
def test_one_answer_at_once_is_one_session(ring: None) -> None:
    owner = with_passkey(key=Authenticator(count=0))
    credential = owner.key.get(passkey_log_in.begin())

    results = at_once(*[lambda: log_in(credential)] * 4)

    assert sorted(type(each).__name__ for each in results) == ["WrongLogInPasskey"] * 3 + ["dict"]
    assert Session.objects.count() == 1
