"""An account's address changes when who reads the mails to the new one says so."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.mailbox import Mailbox, text_of
from servicekit.testing.races import at_once
from tests import mails
from tests.factories import PASSWORD, make_account
from tests.mails import ask_for_email, mails_to, spend, subjects_to, token_of
from users.models import Account, MailRequest, MailToken, Session
from users.services import accounts, sessions

mailbox = mails.mailbox
pytestmark = pytest.mark.django_db(transaction=True)
ADA, NEW, TAKEN = "ada@example.org", "ada@example.com", "bob@example.org"
UPDATED = "users.user_updated.v1"


@pytest.fixture
def header(ring: None) -> str:
    """Ada's session."""
    make_account(email=ADA, name="Ada")
    return mails.log_in(ADA)


def change_token(mailbox: Mailbox, header: str, new: str = NEW) -> str:
    assert ask_for_email(header, new).status_code == 202
    return token_of(mails_to(mailbox, new)[-1])


def test_new_address_confirms_and_the_old_is_told(header: str, mailbox: Mailbox) -> None:
    token = change_token(mailbox, header)
    assert Account.objects.get().email == ADA

    answer = spend(mails.CHANGE, token)

    assert (answer.status_code, answer["Cache-Control"]) == (204, "no-store")
    account = Account.objects.get()
    assert (account.email, account.email_verified) == (NEW, True)
    assert subjects_to(mailbox, ADA)[1:] == [
        "A new address was asked for",
        "Your address has changed",
    ]
    assert NEW in text_of(mailbox.to(ADA)[-1])
    (event,) = outbox_events(UPDATED)
    assert (event["data"]["email"], event["data"]["email_verified"]) == (NEW, True)
    assert event["sequence"] == account.version == 2


def test_sessions_end_but_the_one_that_asked(header: str, mailbox: Mailbox) -> None:
    other = mails.log_in(ADA)

    spend(mails.CHANGE, change_token(mailbox, header))

    assert decoded(Caller().get("/api/users/me/", Authorization=header))["email"] == NEW
    problem(Caller().get("/api/users/me/", Authorization=other), 401)
    assert Session.objects.get(end_reason="email").ended_at is not None
    assert sessions.log_in(email=NEW, password=PASSWORD)["access_token"]


@pytest.mark.parametrize("password", ["not the password", ""], ids=["U7 wrong", "U7 none"])
def test_change_without_the_current_password_is_refused(
    header: str, mailbox: Mailbox, password: str
) -> None:
    problem(ask_for_email(header, NEW, password), 403, "wrong_password")
    body = {"new_email": NEW}
    problem(Caller().post(mails.ASK_EMAIL, body, Authorization=header), 400)

    assert mails_to(mailbox, NEW) == []
    assert not MailRequest.objects.exists()


def test_password_is_guessed_at_slowly_here_too(header: str) -> None:
    statuses = [ask_for_email(header, NEW, "wrong").status_code for _ in range(25)]

    assert set(statuses) == {403, 429}


def test_stranger_changes_nothing(customer: Caller, nobody: Caller) -> None:
    body = {"new_email": NEW, "current_password": PASSWORD}

    problem(nobody.post(mails.ASK_EMAIL, body), 401)
    problem(customer.post(mails.ASK_EMAIL, body), 401)

    assert not MailRequest.objects.exists()


@pytest.mark.parametrize("is_active", [True, False])
def test_taken_address_is_told_its_owner_alone(
    header: str, mailbox: Mailbox, is_active: bool
) -> None:
    make_account(email=TAKEN, is_active=is_active)
    free, taken = ask_for_email(header, NEW), ask_for_email(header, TAKEN)

    assert (free.status_code, free.content) == (taken.status_code, taken.content) == (202, b"")
    # Nor does the asker's own mail tell.
    notices = mails_to(mailbox, ADA)[1:]
    assert [text_of(notice).replace(NEW, TAKEN) for notice in notices] == [text_of(notices[1])] * 2
    assert subjects_to(mailbox, TAKEN)[1:] == ["Your address was asked for"]
    assert not MailToken.objects.filter(purpose="email_change", email=TAKEN).exists()


def test_own_address_is_no_change(header: str, mailbox: Mailbox) -> None:
    problem(ask_for_email(header, "ADA@example.org"), 409, "same_email")

    assert not MailRequest.objects.exists()


@pytest.mark.parametrize("new", ["ada", "a@b.org\r\nBcc: eve@example.org", "m\u0131ke@example.org"])
def test_text_that_is_no_address_is_400_U5(header: str, new: str) -> None:
    problem(ask_for_email(header, new), 400, "invalid", "/new_email")

    assert not MailRequest.objects.exists()


def test_address_taken_meanwhile_is_409_and_changes_nothing(header: str, mailbox: Mailbox) -> None:
    token = change_token(mailbox, header)
    make_account(email=NEW)

    answer = mails.refusal_changes_nothing(lambda: spend(mails.CHANGE, token))

    problem(answer, 409, "email_taken")
    assert outbox_events(UPDATED) == []


def test_two_accounts_that_want_an_address_at_once_are_told_apart(
    header: str, mailbox: Mailbox
) -> None:
    make_account(email=TAKEN)
    tokens = [change_token(mailbox, each) for each in (header, mails.log_in(TAKEN))]

    statuses = at_once(
        *[lambda token=token: spend(mails.CHANGE, token).status_code for token in tokens]
    )

    assert sorted(statuses) == [204, 409]
    assert Account.objects.filter(email=NEW).count() == 1


@pytest.mark.parametrize(
    "row",
    ["U9 replay", "U9 expired", "U9 altered", "U9 other purpose", "U9 deactivated", "U9 password"],
)
def test_token_that_is_not_usable_changes_nothing(header: str, mailbox: Mailbox, row: str) -> None:
    token = change_token(mailbox, header)
    account = Account.objects.get()
    if row == "U9 replay":
        spend(mails.CHANGE, token)
    elif row == "U9 expired":
        MailToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif row == "U9 altered":
        token = token[::-1]
    elif row == "U9 other purpose":
        MailToken.objects.filter(email=NEW).update(purpose="email_verification")
    elif row == "U9 deactivated":
        accounts.deactivate(account=account)
    else:
        accounts.set_password(account=account, password="another good one")
    before = outbox_events(UPDATED)

    answer = mails.refusal_changes_nothing(lambda: spend(mails.CHANGE, token))

    problem(answer, 400, "unusable_token")
    assert outbox_events(UPDATED) == before


def test_tokens_to_the_old_address_are_worthless_after_the_change(
    header: str, mailbox: Mailbox
) -> None:
    mails.ask_for_reset(ADA)
    old = [token_of(message) for message in mails_to(mailbox, ADA)]

    spend(mails.CHANGE, change_token(mailbox, header))

    problem(spend(mails.VERIFY, old[0]), 400)
    problem(mails.reset(old[1]), 400)


def test_only_a_few_mails_an_hour_go_to_an_address(header: str, mailbox: Mailbox) -> None:
    for _ in range(10):
        assert ask_for_email(header, NEW).status_code == 202

    assert len(mails_to(mailbox, NEW)) == 3


def test_request_of_a_deactivated_account_is_not_answered(header: str, mailbox: Mailbox) -> None:
    ask_for_email(header, NEW)
    accounts.deactivate(account=Account.objects.get())

    assert mails_to(mailbox, NEW) == []
    assert not MailRequest.objects.exists()


def test_password_change_is_told(header: str, mailbox: Mailbox) -> None:
    body: dict[str, Any] = {"current_password": PASSWORD, "new_password": "another good one"}

    answer = Caller().post("/api/users/me/password/", body, Authorization=header)

    assert answer.status_code == 204
    assert subjects_to(mailbox, ADA)[1:] == ["Your password has changed"]
