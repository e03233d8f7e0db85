"""What the database itself refuses or fills in."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.factories import PASSWORD, make_account
from users.models import Account, RefreshToken, Session, SigningKey
from users.services import sessions


@pytest.mark.django_db
def test_database_refuses_a_second_account_of_an_address() -> None:
    account = make_account(email="ada@example.org")

    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(email="ada@example.org", password="x")

    assert Account.objects.get() == account


@pytest.mark.django_db
def test_account_is_a_customer_without_rights_unless_said_otherwise() -> None:
    before = timezone.now()

    Account.objects.create(email="ada@example.org", password="x")

    account = Account.objects.get()
    assert account.roles == ["customer"]
    assert (account.is_staff, account.is_active, account.email_verified) == (False, True, False)
    assert (account.version, account.name) == (1, "")
    # The clock is the database's, which answers with the start of its transaction.
    assert abs(account.registered_at - before) < timedelta(seconds=60)


@pytest.mark.django_db
def test_ids_tell_the_order_of_registration() -> None:
    accounts = [make_account() for _ in range(3)]

    assert {account.pk.version for account in accounts} == {7}
    assert [account.pk for account in accounts] == sorted(account.pk for account in accounts)


@pytest.mark.django_db
def test_many_keys_may_be_retired_but_only_one_may_wait() -> None:
    for kid in ("a", "b"):
        SigningKey.objects.create(kid=kid, state="retired", encrypted_pem=b"x")

    for state in ("next", "current", "previous"):
        SigningKey.objects.create(kid=state, state=state, encrypted_pem=b"x")
        with pytest.raises(IntegrityError), transaction.atomic():
            SigningKey.objects.create(kid=f"second {state}", state=state, encrypted_pem=b"x")

    assert SigningKey.objects.count() == 5


@pytest.mark.django_db
def test_database_refuses_a_refresh_token_twice(ring: None) -> None:
    sessions.log_in(email=make_account().email, password=PASSWORD)
    row = RefreshToken.objects.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        RefreshToken.objects.create(session=row.session, digest=row.digest)

    assert RefreshToken.objects.count() == 1


@pytest.mark.django_db
def test_account_takes_its_sessions_with_it(ring: None) -> None:
    gone, kept = make_account(), make_account()
    for account in (gone, kept):
        sessions.log_in(email=account.email, password=PASSWORD)

    gone.delete()

    assert Session.objects.get().account == kept
    assert RefreshToken.objects.get().session.account == kept


@pytest.mark.django_db
def test_rows_do_not_tell_secrets_in_logs(ring: None) -> None:
    account = make_account(email="ada@example.org", name="Ada")
    sessions.log_in(email=account.email, password=PASSWORD)

    told = [str(row) for model in (Account, Session, RefreshToken) for row in model.objects.all()]

    session = Session.objects.get()
    assert told == [str(account.pk), str(session.pk), f"of {session.pk}"]
    assert {str(row) for row in SigningKey.objects.all()} == {
        f"{row.kid} {row.state}" for row in SigningKey.objects.all()
    }


@pytest.mark.django_db
def test_migrations_make_what_the_models_say() -> None:
    call_command("makemigrations", "users", "--check", "--dry-run", verbosity=0)
