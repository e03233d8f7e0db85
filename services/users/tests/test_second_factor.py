"""A second factor is switched on, used, renewed and switched off."""

import re
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from servicekit.auth import tokens as access_tokens
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from tests.second_factors import App, code_of, secret_of, with_second_factor
from users.errors import (
    NoSetUp,
    SecondFactorOff,
    SecondFactorOn,
    SecondFactorRequired,
    WrongCode,
    WrongPassword,
)
from users.models import Account, RecoveryCode, Session, TotpDevice
from users.selectors import second_factor_of
from users.services import sessions
from users.services.factors import second_factor, second_factor_codes, second_step, totp

pytestmark = pytest.mark.django_db
REVOKED = "users.user_sessions_revoked.v1"


def challenge_of(account: Account) -> str:
    with pytest.raises(SecondFactorRequired) as refusal:
        sessions.log_in(email=account.email, password=PASSWORD)
    return str(refusal.value.members["challenge"])


def log_in(app: App, code: str = "") -> dict[str, Any]:
    return second_step.answer_challenge(
        challenge=challenge_of(app.account), proof={"code": code or app.fresh_code()}
    )


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return claims


def test_set_up_counts_only_once_confirmed(ring: None) -> None:
    account = make_account()
    set_up = second_factor.begin(account_id=account.pk, current_password=PASSWORD)

    assert set_up.secret in set_up.otpauth_uri
    assert sessions.log_in(email=account.email, password=PASSWORD)["access_token"]
    assert not second_factor_of(account)["enabled"]

    codes = second_factor.confirm(account_id=account.pk, code=code_of(account), session_id=None)

    assert len(set(codes)) == 10
    assert all(re.fullmatch("([a-z2-7]{4}-){5}[a-z2-7]{4}", code) for code in codes)
    assert second_factor_of(account) | {"enabled_at": None} == {
        "enabled": True,
        "enabled_at": None,
        "has_app": True,
        "passkeys": 0,
        "recovery_codes_left": 10,
        "is_required": False,
    }
    assert challenge_of(account)


def test_begin_anew_makes_another_secret(ring: None) -> None:
    account = make_account()
    first = second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    old = code_of(account)

    second = second_factor.begin(account_id=account.pk, current_password=PASSWORD)

    assert first.secret != second.secret
    assert totp.as_text(secret_of(account)) == second.secret
    if old != code_of(account):  # once in a million they are the same
        with pytest.raises(WrongCode):
            second_factor.confirm(account_id=account.pk, code=old, session_id=None)


def test_begin_asks_for_the_password_and_leaves_a_factor_alone(ring: None) -> None:
    app = with_second_factor()
    before = secret_of(app.account)

    with pytest.raises(WrongPassword):
        second_factor.begin(account_id=app.account.pk, current_password="wrong")
    with pytest.raises(SecondFactorOn):
        second_factor.begin(account_id=app.account.pk, current_password=PASSWORD)

    assert secret_of(app.account) == before
    log_in(app)


def test_confirm_refuses_what_was_not_begun_in_time_or_is_on(ring: None) -> None:
    account = make_account()
    with pytest.raises(NoSetUp):
        second_factor.confirm(account_id=account.pk, code="123456", session_id=None)
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    TotpDevice.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    with pytest.raises(NoSetUp):
        second_factor.confirm(account_id=account.pk, code=code_of(account), session_id=None)

    app = with_second_factor(account)
    with pytest.raises(SecondFactorOn):
        second_factor.confirm(account_id=account.pk, code=app.fresh_code(), session_id=None)

    assert RecoveryCode.objects.count() == 10


def test_confirm_with_a_wrong_code_changes_nothing(ring: None) -> None:
    account = make_account()
    sessions.log_in(email=account.email, password=PASSWORD)
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)

    with pytest.raises(WrongCode):
        second_factor.confirm(
            account_id=account.pk, code=App(account, []).wrong_code(), session_id=None
        )

    assert TotpDevice.objects.get().confirmed_at is None
    assert not RecoveryCode.objects.exists()
    assert Session.objects.filter(ended_at=None).count() == 1
    assert outbox_events(REVOKED) == []


def test_confirm_ends_the_other_sessions_and_raises_its_own(ring: None) -> None:
    account = make_account()
    own, other = (sessions.log_in(email=account.email, password=PASSWORD) for _ in range(2))
    own_id = access_tokens.verified(own["access_token"]).claims.session_id
    assert claims_of(own)["amr"] == ["pwd"]
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)

    second_factor.confirm(account_id=account.pk, code=code_of(account), session_id=own_id)

    (event,) = outbox_events(REVOKED)
    assert event["data"]["session_id"] == claims_of(other)["sid"]
    renewed = sessions.refresh(refresh_token=own["refresh_token"])
    assert claims_of(renewed)["amr"] == ["pwd", "otp"]


def test_log_in_with_code_says_so_in_every_token_of_the_session(ring: None) -> None:
    tokens = log_in(with_second_factor())

    renewed = sessions.refresh(refresh_token=tokens["refresh_token"])

    assert claims_of(tokens)["amr"] == claims_of(renewed)["amr"] == ["pwd", "otp"]
    assert claims_of(tokens)["sid"] == claims_of(renewed)["sid"]


def test_recovery_code_works_once(ring: None) -> None:
    app = with_second_factor()

    assert log_in(app, app.recovery_code())

    assert second_factor_of(app.account)["recovery_codes_left"] == 9
    account = app.account
    assert not second_factor_codes.spend(account=account, code=app.recovery_code())
    assert not second_factor_codes.spend(account=make_account(), code=app.recovery_code(1))
    assert second_factor_of(account)["recovery_codes_left"] == 9


def test_new_recovery_codes_end_the_old(ring: None) -> None:
    app = with_second_factor()
    proof = {"account_id": app.account.pk, "current_password": PASSWORD}

    with pytest.raises(WrongPassword):
        second_factor.renew_recovery_codes(
            **{**proof, "current_password": "wrong"}, proof={"code": app.fresh_code()}
        )
    with pytest.raises(WrongCode):
        second_factor.renew_recovery_codes(**proof, proof={"code": app.wrong_code()})
    new = second_factor.renew_recovery_codes(**proof, proof={"code": app.recovery_code()})

    assert set(new).isdisjoint(app.recovery_codes)
    assert not second_factor_codes.spend(account=app.account, code=app.recovery_code(1))
    assert second_factor_codes.spend(account=app.account, code=new[0].replace("-", ""))


@pytest.mark.parametrize("fault", ["password", "code", "used code"])
def test_refused_switch_off_changes_nothing(ring: None, fault: str) -> None:
    app = with_second_factor()
    code = app.wrong_code() if fault == "code" else app.fresh_code()
    if fault == "used code":
        log_in(app, code)
    before = list(TotpDevice.objects.values())

    with pytest.raises(WrongPassword if fault == "password" else WrongCode):
        second_factor.disable(
            account_id=app.account.pk,
            current_password="wrong" if fault == "password" else PASSWORD,
            proof={"code": code},
        )

    assert list(TotpDevice.objects.values()) == before
    assert RecoveryCode.objects.count() == 10
    assert outbox_events(REVOKED) == []


def test_switch_off_ends_every_session_and_then_the_password_is_enough(ring: None) -> None:
    app = with_second_factor()
    log_in(app)
    proof = {"account_id": app.account.pk, "current_password": PASSWORD}

    second_factor.disable(**proof, proof={"code": app.recovery_code()})

    assert not Session.objects.filter(ended_at=None).exists()
    assert len(outbox_events(REVOKED)) == 1
    assert not RecoveryCode.objects.exists()
    assert claims_of(sessions.log_in(email=app.account.email, password=PASSWORD))["amr"] == ["pwd"]
    with pytest.raises(SecondFactorOff):
        second_factor.disable(**proof, proof={"code": app.recovery_code(1)})
