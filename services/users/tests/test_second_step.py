"""The second step of a log-in: a challenge, a code, a few tries."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from tests.second_factors import App, code_of, with_second_factor
from users.errors import (
    InvalidChallenge,
    SecondFactorOn,
    SecondFactorRequired,
    TooManyAttempts,
    WrongCode,
    WrongCredentials,
    WrongLogInCode,
)
from users.models import LoginAttempt, LogInChallenge, RecoveryCode, Session, TotpDevice
from users.services import accounts, login_attempts, sessions
from users.services.factors import second_factor, second_factor_codes, second_step

pytestmark = pytest.mark.django_db
SOURCE = "192.0.2.7"


def challenge_of(app: App, password: str = PASSWORD, source: str = "unknown") -> str:
    with pytest.raises(SecondFactorRequired) as refusal:
        sessions.log_in(email=app.account.email, password=password, source=source)
    return str(refusal.value.members["challenge"])


def answer(challenge: str, code: str, source: str = "unknown") -> Any:
    return second_step.answer_challenge(challenge=challenge, proof={"code": code}, source=source)


def test_wrong_password_is_never_told_of_the_factor(ring: None) -> None:
    app = with_second_factor()

    with pytest.raises(WrongCredentials):
        sessions.log_in(email=app.account.email, password="wrong")

    assert not LogInChallenge.objects.exists()


def test_right_password_begins_no_session(ring: None) -> None:
    app = with_second_factor()

    challenge_of(app)

    assert not Session.objects.exists()


def test_challenge_is_worth_one_session(ring: None) -> None:
    app = with_second_factor()
    challenge = challenge_of(app)
    answer(challenge, app.fresh_code())

    with pytest.raises(InvalidChallenge):
        answer(challenge, app.fresh_code())

    assert Session.objects.count() == 1


def test_code_is_accepted_once(ring: None) -> None:
    app = with_second_factor()
    first, second = challenge_of(app), challenge_of(app)
    code = app.fresh_code()
    answer(first, code)

    with pytest.raises(WrongLogInCode):
        answer(second, code)

    assert Session.objects.count() == 1


def test_code_that_confirmed_the_factor_logs_nobody_in(ring: None) -> None:
    account = make_account()
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    code = code_of(account)
    codes = second_factor.confirm(account_id=account.pk, code=code, session_id=None)

    with pytest.raises(WrongLogInCode):
        answer(challenge_of(App(account, codes)), code)


def test_code_before_the_last_that_passed_is_refused(ring: None) -> None:
    app = with_second_factor()
    code = app.fresh_code()
    challenge = challenge_of(app)
    step = second_factor_codes.step_of(device=TotpDevice.objects.get(), code=code)
    TotpDevice.objects.update(last_step=step)

    with pytest.raises(WrongLogInCode):
        answer(challenge, code)


def test_five_wrong_codes_end_a_challenge(ring: None) -> None:
    app = with_second_factor()
    challenge = challenge_of(app, source=SOURCE)
    login_attempts.forgive(email=app.account.email, source=SOURCE)  # twenty free tries
    left = []

    for _ in range(5):
        with pytest.raises(WrongLogInCode) as refusal:
            answer(challenge, app.wrong_code(), SOURCE)
        left.append(refusal.value.members["tries_left"])

    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(InvalidChallenge):
        answer(challenge, app.fresh_code(), SOURCE)
    assert not Session.objects.exists()


@pytest.mark.parametrize("end", ["expired", "password", "deactivated", "removed", "unknown"])
def test_challenge_that_is_over_is_refused_whatever_the_code(ring: None, end: str) -> None:
    app = with_second_factor()
    challenge, code = challenge_of(app), app.fresh_code()
    if end == "expired":
        LogInChallenge.objects.update(expires_at=timezone.now())
    elif end == "password":
        accounts.set_password(account=app.account, password="another long one")
    elif end == "deactivated":
        accounts.deactivate(account=app.account)
    elif end == "removed":
        second_factor.remove(account=app.account)
    else:
        challenge = challenge[:-1] + ("A" if challenge[-1] != "A" else "B")

    for each in (code, app.recovery_code()):
        with pytest.raises(InvalidChallenge):
            answer(challenge, each)

    assert not Session.objects.exists()
    assert not RecoveryCode.objects.exclude(used_at=None).exists()


def test_code_of_another_account_is_refused(ring: None) -> None:
    app, other = with_second_factor(), with_second_factor()

    for code in (other.fresh_code(), other.recovery_code()):
        if code != code_of(app.account):
            with pytest.raises(WrongLogInCode):
                answer(challenge_of(app), code)

    assert not RecoveryCode.objects.exclude(used_at=None).exists()


def test_guesses_at_codes_are_slowed_down_over_all_challenges(ring: None) -> None:
    app = with_second_factor()
    LoginAttempt.objects.all().delete()

    # A password and a code each: five tries are free.
    for _ in range(2):
        challenge = challenge_of(app, source=SOURCE)
        with pytest.raises(WrongLogInCode):
            answer(challenge, app.wrong_code(), SOURCE)
    challenge = challenge_of(app, source=SOURCE)

    with pytest.raises(TooManyAttempts):
        answer(challenge, app.fresh_code(), SOURCE)
    with pytest.raises(TooManyAttempts):
        sessions.log_in(email=app.account.email, password=PASSWORD, source=SOURCE)
    assert not Session.objects.exists()


def test_refusal_for_too_many_guesses_costs_the_challenge_nothing(ring: None) -> None:
    app = with_second_factor()
    challenge = challenge_of(app, source=SOURCE)
    LoginAttempt.objects.filter(source=SOURCE).update(
        not_before=timezone.now() + timedelta(minutes=1)
    )

    with pytest.raises(TooManyAttempts):
        answer(challenge, app.fresh_code(), SOURCE)

    assert LogInChallenge.objects.get().tries_left == 5


def test_log_in_forgives_the_tries_that_it_took(ring: None) -> None:
    app = with_second_factor()
    LoginAttempt.objects.all().delete()

    for number in range(3):
        source = f"192.0.2.{number}"
        answer(challenge_of(app, source=source), app.fresh_code(), source)

    assert set(LoginAttempt.objects.values_list("tries", flat=True)) == {0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_two_log_ins_with_one_code_at_once_are_one_session(ring: None, kind: str) -> None:
    app = with_second_factor()
    challenges = [challenge_of(app, source=f"192.0.2.{number}") for number in range(6)]
    code = app.fresh_code() if kind == "app" else app.recovery_code()

    results = at_once(
        *[
            lambda challenge=challenge, number=number: answer(challenge, code, f"192.0.2.{number}")
            for number, challenge in enumerate(challenges)
        ]
    )

    assert [type(result) for result in results].count(dict) == 1, results
    assert {type(result) for result in results} == {dict, WrongLogInCode}
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_challenge_with_two_codes_at_once_is_one_session(ring: None) -> None:
    app = with_second_factor()
    challenge, code = challenge_of(app, source=SOURCE), app.fresh_code()

    results = at_once(
        *[
            lambda each=each: answer(challenge, each, SOURCE)
            for each in (code, app.recovery_code(0), app.recovery_code(1))
        ]
    )

    assert sorted(type(result).__name__ for result in results) == [
        "InvalidChallenge",
        "InvalidChallenge",
        "dict",
    ]
    assert Session.objects.count() == 1
    used = RecoveryCode.objects.exclude(used_at=None).count()
    assert used + TotpDevice.objects.filter(last_step__gt=0).count() == 1


@pytest.mark.django_db(transaction=True)
def test_wrong_codes_at_once_are_five_at_most(ring: None) -> None:
    app = with_second_factor()
    challenge, wrong = challenge_of(app), app.wrong_code()

    results = at_once(
        *[
            lambda number=number: answer(challenge, wrong, f"198.51.100.{number}")
            for number in range(8)
        ]
    )

    refusals = [type(result) for result in results]
    assert refusals.count(WrongLogInCode) == 5, results
    assert refusals.count(InvalidChallenge) == 3
    assert not LogInChallenge.objects.exclude(tries_left=0).exists()


@pytest.mark.django_db(transaction=True)
def test_confirms_at_once_switch_on_once(ring: None) -> None:
    account = make_account()
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    code = code_of(account)

    results = at_once(
        *[lambda: second_factor.confirm(account_id=account.pk, code=code, session_id=None)] * 4
    )

    assert sorted(type(result).__name__ for result in results) == [*["SecondFactorOn"] * 3, "list"]
    assert RecoveryCode.objects.count() == 10
    assert SecondFactorOn.code == "second_factor_on"


@pytest.mark.django_db(transaction=True)
def test_switch_off_and_log_in_with_one_code_at_once_use_it_once(ring: None) -> None:
    app = with_second_factor()
    challenge, code = challenge_of(app), app.recovery_code()

    results = at_once(
        lambda: answer(challenge, code),
        lambda: second_factor.disable(
            account_id=app.account.pk, current_password=PASSWORD, proof={"code": code}
        ),
    )

    kinds = [type(result) for result in results]
    assert kinds in (
        [dict, WrongCode],
        [InvalidChallenge, type(None)],
    ), results
    assert Session.objects.filter(ended_at=None).count() == (1 if kinds[0] is dict else 0)
    assert outbox_events("users.user_sessions_revoked.v1") == []
