"""Accounts: one per address, an event for each, and sessions that end when they must."""

import threading
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import check_password
from django.db import IntegrityError, connections, transaction

from servicekit.auth import tokens as access_tokens
from servicekit.models import OutboxEvent
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from servicekit.testing.waiting import wait_until
from tests.factories import PASSWORD, make_account
from tests.races import somebody_waits_for_us
from users.errors import EmailTaken, WrongCredentials, WrongPassword
from users.models import Account, InvalidEmail, RefreshToken, Session
from users.services import accounts, roles, sessions

REVOKED = "users.user_sessions_revoked.v1"


@pytest.mark.django_db
def test_register_makes_an_account_and_says_so() -> None:
    account = accounts.register(email="Ada@Example.ORG", password=PASSWORD, name="Ada")

    assert (account.email, account.name, account.is_staff) == ("ada@example.org", "Ada", False)
    assert account.password.startswith("argon2$argon2id$")
    assert check_password(PASSWORD, account.password)
    (event,) = outbox_events()
    assert (event["type"], event["subject"]) == ("users.user_registered.v2", str(account.pk))
    assert event["data"]["roles"] == ["customer"]
    assert PASSWORD not in str(event)
    assert "ada" not in str(event).lower()


@pytest.mark.django_db
def test_register_refuses_an_address_that_has_an_account() -> None:
    make_account(email="ada@example.org")

    with pytest.raises(EmailTaken):
        accounts.register(email="ADA@example.org", password=PASSWORD)

    assert Account.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.org", "ada@", "ada@localhost", "a da@example.org", "ada@exa mple.org",
     "ada@-example.org",
     "ada..b@example.org", ".ada@example.org", "ada.@example.org", "ädä@example.org",
     "m\u0131ke@example.org", "ada@example.org\n.org", "ada@example.org\0",
     "x" * 250 + "@example.org", "a@b@example.org",
     "mi\u212ae@example.org", "\u0130da@example.org",
     "ada@" + "x" * 60 + ("." + "x" * 60) * 4 + ".org"],
)  # fmt: skip
def test_register_refuses_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidEmail):
        accounts.register(email=address, password=PASSWORD)

    assert not Account.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db(transaction=True)
def test_register_many_times_at_once_makes_one_account() -> None:
    def run() -> Account:
        return accounts.register(email="ada@example.org", password=PASSWORD)

    results = at_once(*[run] * 8)

    assert sum(isinstance(result, Account) for result in results) == 1
    assert sum(isinstance(result, EmailTaken) for result in results) == 7
    assert Account.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_change_password_ends_every_other_session(ring: None) -> None:
    account = make_account()
    here, elsewhere = (log_in(account) for _ in range(2))

    accounts.change_password(
        account_id=account.pk, current=PASSWORD, new="another good one", session_id=here.pk
    )

    account.refresh_from_db()
    assert check_password("another good one", account.password)
    assert Session.objects.get(pk=here.pk).ended_at is None
    assert Session.objects.get(pk=elsewhere.pk).end_reason == "password"
    (event,) = outbox_events(REVOKED)
    assert event["data"]["session_id"] == str(elsewhere.pk)


@pytest.mark.django_db
def test_change_password_with_a_wrong_one_changes_nothing(ring: None) -> None:
    account = make_account()
    session = log_in(account)

    with pytest.raises(WrongPassword):
        accounts.change_password(
            account_id=account.pk, current="wrong", new="another good one", session_id=None
        )

    account.refresh_from_db()
    assert check_password(PASSWORD, account.password)
    assert Session.objects.get(pk=session.pk).ended_at is None
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
def test_make_staff_ends_sessions_that_tell_the_old_role(ring: None) -> None:
    account = make_account()
    session = log_in(account)

    assert roles.make_staff(account=account)
    assert not roles.make_staff(account=account)

    account.refresh_from_db()
    assert account.roles == ["customer", "staff", "admin"]
    assert Session.objects.get(pk=session.pk).end_reason == "role"
    assert len(outbox_events(REVOKED)) == 1


def log_in(account: Account) -> Session:
    before = set(Session.objects.values_list("pk", flat=True))
    sessions.log_in(email=account.email, password=PASSWORD)
    return Session.objects.exclude(pk__in=before).get()


@pytest.mark.django_db
def test_no_secret_stands_in_the_tables(ring: None) -> None:
    account = make_account()
    first = sessions.log_in(email=account.email, password=PASSWORD)
    second = sessions.refresh(refresh_token=first["refresh_token"])

    stored = str(list(Account.objects.values())).encode() + b"".join(
        bytes(row.digest) + bytes(row.encrypted_answer or b"") for row in RefreshToken.objects.all()
    )
    published = b"".join(bytes(row.data) for row in OutboxEvent.objects.all())

    assert RefreshToken.objects.exclude(encrypted_answer=None).count() == 1
    for secret in (
        PASSWORD,
        *(tokens[name] for tokens in (first, second) for name in ("refresh_token", "access_token")),
    ):
        assert secret.encode() not in stored + published
    assert account.password.encode() not in published


@pytest.mark.django_db
def test_registered_event_tells_the_stored_account() -> None:
    account = make_account(email="Ada@example.org")

    (event,) = outbox_events()
    account.refresh_from_db()
    assert event["sequence"] == account.version == 1
    assert event["data"] == {
        "user_id": str(account.pk),
        "roles": ["customer"],
        "registered_at": account.registered_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.django_db
def test_register_keeps_dots_and_plus_parts_apart() -> None:
    spellings = [
        "ada.b@example.org",
        "adab@example.org",
        "ada+b@example.org",
        "ada.b@mail.example.org",
    ]

    for spelling in spellings:
        accounts.register(email=spelling, password=PASSWORD)

    assert set(Account.objects.values_list("email", flat=True)) == set(spellings)


@pytest.mark.django_db
def test_other_faults_of_a_row_are_not_called_a_taken_address() -> None:
    no_name: Any = None

    with pytest.raises(IntegrityError, match='column "name"'):
        accounts.register(email="ada@example.org", password=PASSWORD, name=no_name)

    assert not Account.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_change_password_leaves_other_accounts_alone(ring: None) -> None:
    account, other = make_account(), make_account()
    session = log_in(other)

    accounts.change_password(
        account_id=account.pk, current=PASSWORD, new="another good one", session_id=None
    )

    assert Session.objects.get(pk=session.pk).ended_at is None
    other.refresh_from_db()
    assert check_password(PASSWORD, other.password)


@pytest.mark.django_db
def test_change_password_spares_no_session_of_a_stranger(ring: None) -> None:
    account = make_account()
    session, foreign = log_in(account), log_in(make_account())

    accounts.change_password(
        account_id=account.pk, current=PASSWORD, new="another good one", session_id=foreign.pk
    )

    assert Session.objects.get(pk=session.pk).end_reason == "password"


@pytest.mark.django_db(transaction=True)
def test_change_password_twice_at_once_happens_once() -> None:
    account = make_account()

    def change(new: str) -> None:
        accounts.change_password(account_id=account.pk, current=PASSWORD, new=new, session_id=None)

    results = at_once(lambda: change("first good one"), lambda: change("second good one"))

    assert sorted(type(result).__name__ for result in results) == ["NoneType", "WrongPassword"]
    account.refresh_from_db()
    winner = ("first good one", "second good one")[results.index(None)]
    assert check_password(winner, account.password)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["password", "inactive"])
def test_log_in_that_meets_a_change_of_its_account_begins_no_session(
    ring: None, change: str
) -> None:
    account = make_account()
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(sessions.log_in(email=account.email, password=PASSWORD))
        except WrongCredentials as refusal:
            results.append(refusal)
        finally:
            connections.close_all()

    late = threading.Thread(target=run)
    with transaction.atomic():
        change_account(account.pk, change)
        late.start()
        wait_until(somebody_waits_for_us)
    late.join(timeout=60)

    assert [type(result) for result in results] == [WrongCredentials]
    assert not Session.objects.exists()


def change_account(account_id: UUID, change: str) -> None:
    if change == "password":
        accounts.change_password(
            account_id=account_id, current=PASSWORD, new="another good one", session_id=None
        )
    else:
        Account.objects.select_for_update().get(pk=account_id)
        Account.objects.filter(pk=account_id).update(is_active=False)


@pytest.mark.django_db
def test_make_staff_counts_the_version_and_the_next_tokens_tell_the_role(ring: None) -> None:
    account = make_account()

    roles.make_staff(account=account)

    account.refresh_from_db()
    assert (account.is_staff, account.version) == (True, 2)
    answer = sessions.log_in(email=account.email, password=PASSWORD)
    assert access_tokens.verified(answer["access_token"]).claims.roles == {
        "customer",
        "staff",
        "admin",
    }


@pytest.mark.django_db(transaction=True)
def test_make_staff_at_once_gives_the_role_once(ring: None) -> None:
    account = make_account()
    log_in(account)

    results = at_once(*[lambda: roles.make_staff(account=account)] * 4)

    assert sorted(results) == [False, False, False, True]
    account.refresh_from_db()
    assert account.version == 2
    assert len(outbox_events(REVOKED)) == 1
