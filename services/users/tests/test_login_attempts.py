"""Guesses at a password are slowed down, by account and source; the owner is not locked out by
them.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import F
from django.utils import timezone

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from users.errors import TooManyAttempts, WrongCredentials
from users.models import LoginAttempt
from users.services import login_attempts, sessions

LOG_IN = "/api/auth/token/"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def guess(email: str, source: str = HERE) -> bool:
    """Guess wrongly; return whether the guess was looked at."""
    try:
        sessions.log_in(email=email, password="not the password", source=source)
    except WrongCredentials:
        return True
    except TooManyAttempts:
        return False
    raise AssertionError("the wrong password was right")


def pass_time(seconds: float) -> None:
    passed = timedelta(seconds=seconds)
    LoginAttempt.objects.update(not_before=F("not_before") - passed, last_at=F("last_at") - passed)


def guesses_in(seconds: int, email: str, source: Any = lambda _number: HERE, every: int = 5) -> int:
    """Guess every few seconds; return how many guesses were looked at."""
    looked_at = 0
    for number in range(seconds // every):
        looked_at += guess(email, source(number))
        pass_time(every)
    return looked_at


@pytest.fixture(autouse=True)
def cheap_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.mark.django_db
@pytest.mark.parametrize("is_registered", [True, False])
def test_stranger_has_ten_guesses_in_a_quarter_of_an_hour(is_registered: bool) -> None:
    email = make_account().email if is_registered else "nobody@example.org"

    assert guesses_in(900, email) == 10


@pytest.mark.django_db
def test_guesses_from_many_sources_are_slowed_down_together() -> None:
    email = make_account().email

    assert guesses_in(900, email, lambda number: f"203.0.113.{number % 250}") <= 30


@pytest.mark.django_db
def test_owner_logs_in_from_a_known_place_whatever_others_guess(ring: None) -> None:
    email = make_account().email
    sessions.log_in(email=email, password=PASSWORD, source=ELSEWHERE)
    guesses_in(60, email, lambda number: f"203.0.113.{number}", every=1)
    assert not guess(email, "203.0.113.99")

    assert sessions.log_in(email=email, password=PASSWORD, source=ELSEWHERE)["access_token"]


@pytest.mark.django_db
def test_right_password_clears_the_count(ring: None) -> None:
    email = make_account().email
    for _ in range(3):
        guess(email)

    sessions.log_in(email=email, password=PASSWORD, source=HERE)

    # What strangers have left all together is not given back by it.
    assert dict(LoginAttempt.objects.values_list("source", "tries")) == {HERE: 0, "": 3}


@pytest.mark.django_db(transaction=True)
def test_fifty_guesses_at_once_are_no_more_than_five() -> None:
    email = make_account().email

    looked_at = at_once(*[lambda: guess(email)] * 50)

    assert sum(looked_at) == login_attempts.OF_A_SOURCE.free_tries


@pytest.mark.django_db
def test_refusal_says_when_to_come_back_and_hashes_nothing(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_account()
    body = {"email": account.email, "password": "not the password"}
    for _ in range(login_attempts.OF_A_SOURCE.free_tries):
        problem(nobody.post(LOG_IN, body, X_Real_IP=HERE), 401, "wrong_credentials")
    for method in ("encode", "verify"):
        monkeypatch.setattr(Argon2PasswordHasher, method, pytest.fail)

    answer = nobody.post(LOG_IN, body, X_Real_IP=HERE)

    problem(answer, 429, "too_many_attempts")
    assert 10 < int(answer["Retry-After"]) <= 15


@pytest.mark.django_db
def test_address_is_counted_under_one_spelling() -> None:
    account = make_account(email="ada@example.org")
    for spelling in (
        "ada@example.org",
        "ADA@example.org",
        "Ada@Example.Org",
        "ada@EXAMPLE.org",
        "aDa@example.org",
    ):
        assert guess(spelling)

    assert not guess(account.email)


@pytest.mark.django_db
def test_current_password_is_not_for_guessing_either(ring: None) -> None:
    account = make_account()
    token = sessions.log_in(email=account.email, password=PASSWORD, source=ELSEWHERE)[
        "access_token"
    ]
    body = {"current_password": "not the password", "new_password": "a completely new one"}
    headers = {"Authorization": f"Bearer {token}", "X_Real_IP": HERE}
    caller = Caller()
    for _ in range(login_attempts.OF_A_SOURCE.free_tries):
        problem(caller.post("/api/users/me/password/", body, **headers), 403, "wrong_password")

    problem(caller.post("/api/users/me/password/", body, **headers), 429, "too_many_attempts")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        ({"X_Real_IP": "192.0.2.1"}, "192.0.2.1"),
        ({"X_Real_IP": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"),
        ({"X_Real_IP": "rubbish"}, "unknown"),
        ({}, "127.0.0.1"),
    ],
)
def test_source_is_what_the_gateway_says(
    nobody: Caller, ring: None, sent: dict[str, str], counted: str
) -> None:
    account = make_account()

    decoded(nobody.post(LOG_IN, {"email": account.email, "password": PASSWORD}, **sent))

    assert LoginAttempt.objects.exclude(source="").get().source == counted


@pytest.mark.django_db
def test_count_is_forgotten_after_a_day() -> None:
    email = make_account().email
    guesses_in(300, email)

    LoginAttempt.objects.update(
        last_at=timezone.now() - timedelta(hours=25), not_before=timezone.now()
    )

    assert [guess(email) for _ in range(4)] == [True] * 4


@pytest.mark.django_db
def test_office_behind_one_address_logs_in_while_somebody_there_guesses(ring: None) -> None:
    victim, *office = [make_account().email for _ in range(101)]
    looked_at = 0

    for email in office:
        looked_at += guess(victim, HERE)
        assert sessions.log_in(email=email, password=PASSWORD, source=HERE)["access_token"]

    assert looked_at == login_attempts.OF_A_SOURCE.free_tries
    assert not guess(victim, HERE)
