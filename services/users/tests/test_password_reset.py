"""Who reads the mails to an address replaces its password; nobody else learns anything."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from servicekit.testing.client import Caller, problem
from servicekit.testing.mailbox import Mailbox
from servicekit.testing.races import at_once
from tests import mails
from tests.factories import PASSWORD, make_account
from tests.mails import ASK_RESET, NEW_PASSWORD, mails_to, reset, subjects_to, token_of
from tests.second_factors import with_second_factor
from users.errors import SecondFactorRequired, WrongCredentials
from users.models import Account, MailRequest, MailToken, Session
from users.services import accounts, sessions

mailbox = mails.mailbox
pytestmark = pytest.mark.django_db(transaction=True)
ADA, NOBODY = "ada@example.org", "nobody@example.org"


def make_ada(**overrides: Any) -> Account:
    return make_account(email=ADA, email_verified=True, **overrides)


def reset_token(mailbox: Mailbox, email: str = ADA) -> str:
    mails.ask_for_reset(email)
    return token_of(mails_to(mailbox, email)[-1])


def test_owner_sets_a_new_password_and_is_told(ring: None, mailbox: Mailbox) -> None:
    make_ada()
    mails.log_in(ADA)
    token = reset_token(mailbox)

    answer = reset(token)

    assert (answer.status_code, answer["Cache-Control"]) == (204, "no-store")
    assert not Session.objects.filter(ended_at=None).exists()
    with pytest.raises(WrongCredentials):
        sessions.log_in(email=ADA, password=PASSWORD)
    assert sessions.log_in(email=ADA, password=NEW_PASSWORD)["access_token"]
    assert subjects_to(mailbox, ADA)[-2:] == ["Set a new password", "Your password has changed"]


def test_reset_leaves_the_second_factor_on(ring: None, mailbox: Mailbox) -> None:
    with_second_factor(make_ada())

    reset(reset_token(mailbox))

    with pytest.raises(SecondFactorRequired):
        sessions.log_in(email=ADA, password=NEW_PASSWORD)


def test_reset_verifies_the_address(mailbox: Mailbox) -> None:
    make_account(email=ADA)

    reset(reset_token(mailbox))

    assert Account.objects.get().email_verified


def test_reset_forgives_wrong_passwords(ring: None, mailbox: Mailbox) -> None:
    make_ada()
    for _ in range(6):
        Caller().post("/api/auth/token/", {"email": ADA, "password": "wrong"})
    refused = Caller().post("/api/auth/token/", {"email": ADA, "password": PASSWORD})
    problem(refused, 429)

    reset(reset_token(mailbox))

    body = {"email": ADA, "password": NEW_PASSWORD}
    assert Caller().post("/api/auth/token/", body).status_code == 200


STATES = {"known": ADA, "unknown": NOBODY, "inactive": "gone@example.org", "again": ADA}


def make_states() -> None:
    make_ada()
    accounts.deactivate(account=make_account(email=STATES["inactive"]))
    mails.do_jobs()


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"U1 {state}")
def test_answer_is_the_same_for_every_address(mailbox: Mailbox, state: str) -> None:
    make_states()
    if state == "again":
        mails.ask_for_reset(ADA)
    reference = Caller().post(ASK_RESET, {"email": "reference@example.org"})

    answer = Caller().post(ASK_RESET, {"email": STATES[state]})

    assert (answer.status_code, answer.content) == (202, b"")
    assert names(answer) == names(reference)


def names(answer: Any) -> dict[str, str]:
    """The headers, but those that differ from request to request anyway."""
    return {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}


def test_work_is_the_same_for_every_address_U1(ring: None, mailbox: Mailbox) -> None:
    """The time is the same by construction: the same statements, and no hash."""
    make_states()
    # Not even somebody behind the same address as the owner learns anything.
    sessions.log_in(email=ADA, password=PASSWORD, source="127.0.0.1")
    said = {}
    for state in ("known", "unknown", "inactive"):
        with CaptureQueriesContext(connection) as queries:
            Caller().post(ASK_RESET, {"email": STATES[state]})
        said[state] = [shape(query["sql"]) for query in queries]

    assert said["known"] == said["unknown"] == said["inactive"]
    assert any("mail_request" in statement for statement in said["known"])


def shape(sql: str) -> str:
    """A statement without its values."""
    return sql.partition("VALUES")[0].partition("WHERE")[0]


@pytest.mark.parametrize("state", ["unknown", "inactive"], ids=lambda state: f"U1 {state}")
def test_nobody_is_mailed_who_has_no_account(mailbox: Mailbox, state: str) -> None:
    make_states()
    seen = len(mailbox.messages)

    mails.ask_for_reset(STATES[state])
    mails.do_jobs()

    assert len(mailbox.messages) == seen
    assert not MailRequest.objects.exists()
    assert not MailToken.objects.filter(purpose="password_reset").exists()


def test_mail_goes_to_the_stored_spelling(mailbox: Mailbox) -> None:
    make_ada()

    mails.ask_for_reset("  ADA@Example.ORG ")

    assert "Set a new password" in subjects_to(mailbox, ADA)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@example.org\r\nBcc: eve@example.org", "\u017f@x.org"]
)
def test_text_that_is_no_address_is_400_U5(mailbox: Mailbox, email: str) -> None:
    problem(Caller().post(ASK_RESET, {"email": email}), 400, "invalid", "/email")

    assert not MailRequest.objects.exists()


def test_request_is_answered_once_by_two_workers(mailbox: Mailbox) -> None:
    make_ada()
    mails.do_jobs()
    mails.ask_for_reset(ADA)

    at_once(*[mails.do_jobs] * 4)

    assert subjects_to(mailbox, ADA).count("Set a new password") == 1


def test_only_a_few_mails_an_hour_are_sent_which_nobody_is_told(mailbox: Mailbox) -> None:
    make_ada()

    for _ in range(12):
        mails.ask_for_reset(ADA)

    assert subjects_to(mailbox, ADA).count("Set a new password") == 3


def test_strangers_requests_do_not_keep_the_owner_from_a_mail(ring: None, mailbox: Mailbox) -> None:
    make_ada()
    sessions.log_in(email=ADA, password=PASSWORD, source="198.51.100.7")
    for number in range(20):
        ask_from(f"203.0.113.{number}")
    assert subjects_to(mailbox, ADA).count("Set a new password") == 5

    ask_from("198.51.100.7")

    assert subjects_to(mailbox, ADA).count("Set a new password") == 6


def ask_from(source: str) -> None:
    Caller().post(ASK_RESET, {"email": ADA}, X_Real_IP=source)


@pytest.mark.parametrize(
    "row",
    ["U8 reused", "U8 expired", "U8 altered", "U8 other purpose", "U8 deactivated", "U8 changed"],
)
def test_token_that_is_not_usable_sets_no_password(mailbox: Mailbox, row: str) -> None:
    account = make_ada()
    token = reset_token(mailbox)
    if row == "U8 reused":
        reset(token)
    elif row == "U8 expired":
        MailToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif row == "U8 altered":
        token = token.swapcase()
    elif row == "U8 other purpose":
        MailToken.objects.update(purpose="email_verification")
    elif row == "U8 deactivated":
        accounts.deactivate(account=account)
    else:
        accounts.change_password(
            account_id=account.pk, current=PASSWORD, new="a third good one", session_id=None
        )

    answer = mails.refusal_changes_nothing(lambda: reset(token, "yet another good one"))

    problem(answer, 400, "unusable_token")


def test_token_sets_the_password_of_its_account_alone_U8(mailbox: Mailbox) -> None:
    make_ada()
    bob = make_account(email="bob@example.org")

    reset(reset_token(mailbox))

    assert Account.objects.get(pk=bob.pk).check_password(PASSWORD)


def test_token_in_the_query_is_not_read_U8(mailbox: Mailbox) -> None:
    make_ada()
    token = reset_token(mailbox)

    answer = mails.refusal_changes_nothing(
        lambda: Caller().post(f"{mails.RESET}?token={token}", {"new_password": NEW_PASSWORD})
    )

    problem(answer, 400)


def test_token_spent_at_once_sets_one_password(mailbox: Mailbox) -> None:
    make_ada()
    token = reset_token(mailbox)

    statuses = at_once(
        *[lambda word=word: reset(token, f"{word} good password").status_code for word in "abc"]
    )

    assert sorted(statuses) == [204, 400, 400]
    assert subjects_to(mailbox, ADA).count("Your password has changed") == 1


def test_bad_password_leaves_the_token_usable(mailbox: Mailbox) -> None:
    make_ada()
    token = reset_token(mailbox)

    for bad in ("short", "password1", ADA, " " * 10):
        answer = mails.refusal_changes_nothing(lambda bad=bad: reset(token, bad))
        problem(answer, 400, "", "/new_password")

    assert reset(token).status_code == 204


def test_new_password_withdraws_the_tokens_of_the_account(ring: None, mailbox: Mailbox) -> None:
    make_ada()
    first = reset_token(mailbox)
    mails.ask_for_email(mails.log_in(ADA), "eve@example.org")
    change = token_of(mails_to(mailbox, "eve@example.org")[-1])
    second = reset_token(mailbox)

    reset(second)

    problem(reset(first), 400)
    problem(mails.spend(mails.CHANGE, change), 400)


def test_request_that_no_worker_answered_is_forgotten_after_a_day() -> None:
    from servicekit.operations import purge

    make_ada()
    mails.ask_for_reset(ADA)
    mails.ask_for_reset(ADA)
    oldest = MailRequest.objects.order_by("id")[0]
    MailRequest.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(days=2))
    MailToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    purge.run()

    assert MailRequest.objects.count() == 1
    assert not MailToken.objects.exists()
