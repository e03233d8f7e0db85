"""Accounts: one per address, an event for each, and sessions that end when they must."""

import threading
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.db import connections

from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from users import services, sessions
from users.emails import InvalidEmail
from users.errors import EmailTaken, WrongPassword
from users.models import Account, Session


@pytest.mark.django_db
def test_register_makes_an_account_and_says_so() -> None:
    account = services.register(email="Ada@Example.ORG", password=PASSWORD, name="Ada")

    assert (account.email, account.name, account.is_staff) == ("ada@example.org", "Ada", False)
    assert account.password.startswith("argon2$argon2id$")
    assert check_password(PASSWORD, account.password)
    (event,) = outbox_events()
    assert (event["type"], event["subject"]) == ("users.user_registered.v1", str(account.pk))
    assert event["data"]["email"] == "ada@example.org"
    assert event["data"]["roles"] == ["customer"]
    assert PASSWORD not in str(event)


@pytest.mark.django_db
def test_register_refuses_an_address_that_has_an_account() -> None:
    make_account(email="ada@example.org")

    with pytest.raises(EmailTaken):
        services.register(email="ADA@example.org", password=PASSWORD)

    assert Account.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.org", "ada@", "ada@localhost", "a da@example.org", "ada@exa mple.org", "ada@-example.org",
     "ada..b@example.org", ".ada@example.org", "ada.@example.org", "ädä@example.org", "ada@exämple.org",
     "m\u0131ke@example.org", "ada@example.org\n", "ada@example.org\0", "x" * 250 + "@example.org", "a@b@example.org"],
)  # fmt: skip
def test_register_refuses_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidEmail):
        services.register(email=address, password=PASSWORD)

    assert not Account.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db(transaction=True)
def test_register_many_times_at_once_makes_one_account() -> None:
    barrier, results = threading.Barrier(8), []

    def run() -> None:
        barrier.wait(timeout=20)
        try:
            results.append(services.register(email="ada@example.org", password=PASSWORD))
        except EmailTaken as refusal:
            results.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sum(isinstance(one, Account) for one in results) == 1
    assert sum(isinstance(one, EmailTaken) for one in results) == 7
    assert Account.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_change_password_ends_every_other_session(ring: None) -> None:
    account = make_account()
    here, elsewhere = (log_in(account) for _ in range(2))

    services.change_password(
        account_id=account.pk, current=PASSWORD, new="another good one", session_id=here.pk
    )

    account.refresh_from_db()
    assert check_password("another good one", account.password)
    assert Session.objects.get(pk=here.pk).ended_at is None
    assert Session.objects.get(pk=elsewhere.pk).end_reason == "password"
    (event,) = outbox_events("users.user_sessions_revoked.v1")
    assert event["data"]["session_id"] == str(elsewhere.pk)


@pytest.mark.django_db
def test_change_password_with_a_wrong_one_changes_nothing(ring: None) -> None:
    account = make_account()
    session = log_in(account)

    with pytest.raises(WrongPassword):
        services.change_password(
            account_id=account.pk, current="wrong", new="another good one", session_id=None
        )

    account.refresh_from_db()
    assert check_password(PASSWORD, account.password)
    assert Session.objects.get(pk=session.pk).ended_at is None
    assert outbox_events("users.user_sessions_revoked.v1") == []


@pytest.mark.django_db
def test_make_staff_ends_sessions_that_tell_the_old_role(ring: None) -> None:
    account = make_account()
    session = log_in(account)

    assert services.make_staff(account=account)
    assert not services.make_staff(account=account)

    account.refresh_from_db()
    assert account.roles == ["customer", "staff"]
    assert Session.objects.get(pk=session.pk).end_reason == "role"
    assert len(outbox_events("users.user_sessions_revoked.v1")) == 1


def log_in(account: Account) -> Session:
    before = set(Session.objects.values_list("pk", flat=True))
    sessions.log_in(email=account.email, password=PASSWORD)
    return Session.objects.exclude(pk__in=before).get()


@pytest.mark.django_db
def test_no_secret_stands_in_the_tables(ring: None, django_assert_num_queries: Any) -> None:
    account = make_account()
    tokens = sessions.log_in(email=account.email, password=PASSWORD)

    rows = str(list(Account.objects.values())) + str(
        [
            (bytes(one.digest), one.encrypted_answer)
            for session in Session.objects.all()
            for one in session.refresh_tokens.all()
        ]
    )

    assert PASSWORD not in rows
    assert tokens["refresh_token"] not in rows
    assert tokens["access_token"] not in rows
