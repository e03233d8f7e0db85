"""An account's address is verified by who reads the mails to it."""

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
from tests.mails import ASK_VERIFICATION, VERIFY, mails_to, token_of
from users.models import Account, MailToken
from users.services import accounts, sessions

mailbox = mails.mailbox
pytestmark = pytest.mark.django_db(transaction=True)
ADA = "ada@example.org"
UPDATED = "users.user_updated.v1"


def is_verified() -> bool:
    return Account.objects.get(email=ADA).email_verified


def test_owner_is_asked_to_verify_and_the_token_verifies(mailbox: Mailbox) -> None:
    make_account(email=ADA)
    (message,) = mails_to(mailbox, ADA)

    answer = mails.spend(VERIFY, token_of(message))

    assert (answer.status_code, answer["Cache-Control"]) == (204, "no-store")
    assert is_verified()
    (event,) = outbox_events(UPDATED)
    account = Account.objects.get(email=ADA)
    assert (event["data"]["user_id"], event["data"]["email_verified"]) == (str(account.pk), True)
    assert (event["subject"], event["sequence"]) == (str(account.pk), 2)
    assert (message["Subject"], "Hello Ada," in text_of(message)) == ("Confirm your address", True)


def test_refreshed_token_tells_that_the_address_is_verified(ring: None, mailbox: Mailbox) -> None:
    make_account(email=ADA)
    tokens = sessions.log_in(email=ADA, password=PASSWORD)
    mails.spend(VERIFY, token_of(mails_to(mailbox, ADA)[0]))

    renewed = sessions.refresh(refresh_token=tokens["refresh_token"])

    me = Caller().get("/api/users/me/", Authorization=f"Bearer {renewed['access_token']}")
    assert decoded(me)["email_verified"] is True
    from servicekit.auth.tokens import AccessToken

    claims = AccessToken(renewed["access_token"]).payload
    assert claims["email_verified"] is True


def test_owner_asks_for_another_mail(ring: None, mailbox: Mailbox) -> None:
    make_account(email=ADA)
    header = mails.log_in(ADA)

    answer = Caller().post(ASK_VERIFICATION, Authorization=header)

    assert (answer.status_code, answer["Cache-Control"]) == (202, "no-store")
    first, second = mails_to(mailbox, ADA)
    assert token_of(first) != token_of(second)
    assert mails.spend(VERIFY, token_of(second)).status_code == 204


def test_verified_owner_gets_no_other_mail(ring: None, mailbox: Mailbox) -> None:
    make_account(email=ADA, email_verified=True)
    header = mails.log_in(ADA)
    mails.do_jobs()
    seen = len(mailbox.messages)

    problem(Caller().post(ASK_VERIFICATION, Authorization=header), 409, "email_verified")

    mails.do_jobs()
    assert len(mailbox.messages) == seen


def test_stranger_asks_for_nothing(mailbox: Mailbox, customer: Caller, nobody: Caller) -> None:
    problem(nobody.post(ASK_VERIFICATION), 401)
    problem(customer.post(ASK_VERIFICATION), 401)  # whose account is gone

    mails.do_jobs()
    assert mailbox.messages == []


def test_only_a_few_mails_an_hour_are_sent_which_nobody_is_told(
    ring: None, mailbox: Mailbox
) -> None:
    make_account(email=ADA)
    header = mails.log_in(ADA)

    answers = [Caller().post(ASK_VERIFICATION, Authorization=header) for _ in range(10)]

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    assert len(mails_to(mailbox, ADA)) == 1 + 3  # that of the registration, and the free ones


def test_operators_accounts_are_not_asked_to_verify(mailbox: Mailbox) -> None:
    accounts.register(email=ADA, password=PASSWORD, is_asked_to_verify=False)
    accounts.register_superuser(email="bob@example.org", password=PASSWORD)

    mails.do_jobs()

    assert mailbox.messages == []


@pytest.mark.parametrize(
    "row", ["U9 replay", "U9 another account", "U9 expired", "U9 altered", "U9 other purpose"]
)
def test_token_that_is_not_usable_verifies_nothing(mailbox: Mailbox, row: str) -> None:
    account = make_account(email=ADA)
    token = token_of(mails_to(mailbox, ADA)[0])
    if row == "U9 replay":
        mails.spend(VERIFY, token)
    elif row == "U9 another account":
        # The address went to somebody else meanwhile.
        Account.objects.filter(pk=account.pk).update(email="old@example.org")
        make_account(email=ADA, password=PASSWORD)
    elif row == "U9 expired":
        MailToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif row == "U9 altered":
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    else:
        MailToken.objects.update(purpose="password_reset")
    before = outbox_events(UPDATED)

    answer = mails.refusal_changes_nothing(lambda: mails.spend(VERIFY, token))

    problem(answer, 400, "unusable_token")
    assert outbox_events(UPDATED) == before


@pytest.mark.parametrize("path", [VERIFY, mails.CHANGE, mails.RESET, mails.ASK_RESET])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_prefetch_by_get_changes_nothing_U9(mailbox: Mailbox, path: str, method: str) -> None:
    make_account(email=ADA)
    token = token_of(mails_to(mailbox, ADA)[0])

    answer = mails.refusal_changes_nothing(lambda: Caller().call(method, f"{path}?token={token}"))

    assert answer.status_code in (400, 405)
    assert mails.spend(VERIFY, token).status_code == 204


def test_token_spent_at_once_verifies_once(mailbox: Mailbox) -> None:
    make_account(email=ADA)
    token = token_of(mails_to(mailbox, ADA)[0])

    statuses = at_once(*[lambda: mails.spend(VERIFY, token).status_code] * 4)

    assert sorted(statuses) == [204, 400, 400, 400]
    assert len(outbox_events(UPDATED)) == 1


def test_token_is_stored_by_its_hash_alone(mailbox: Mailbox) -> None:
    make_account(email=ADA)
    token = token_of(mails_to(mailbox, ADA)[0])
    row: dict[str, Any] = MailToken.objects.values().get()

    assert token not in str({name: bytes(v) if name == "digest" else v for name, v in row.items()})
    assert len(bytes(row["digest"])) == 32


def test_deactivated_account_is_not_verified(mailbox: Mailbox) -> None:
    account = make_account(email=ADA)
    token = token_of(mails_to(mailbox, ADA)[0])
    accounts.deactivate(account=account)

    problem(mails.refusal_changes_nothing(lambda: mails.spend(VERIFY, token)), 400)

    assert not is_verified()
