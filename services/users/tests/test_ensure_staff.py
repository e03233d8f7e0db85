import pytest
from django.core.management import CommandError, call_command

from users.models import Account
from users.services import accounts, roles

pytestmark = pytest.mark.django_db
EMAIL, PASSWORD = "boss@example.org", "a long enough passphrase"


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setenv("STAFF_EMAIL", EMAIL.upper())
    monkeypatch.setenv("STAFF_PASSWORD", PASSWORD)


def test_nobody_is_made_unless_asked(monkeypatch):
    monkeypatch.delenv("STAFF_EMAIL", raising=False)

    call_command("ensure_staff")

    assert not Account.objects.exists()


def test_staff_is_made_once(asked):
    call_command("ensure_staff")
    call_command("ensure_staff")

    account = Account.objects.get()
    assert (account.email, account.is_staff) == (EMAIL, True)


def test_account_that_is_there_stays_as_it_is(asked):
    accounts.register(email=EMAIL, password="another passphrase")

    call_command("ensure_staff")

    assert not Account.objects.get().is_staff


def test_weak_password_is_refused(asked, monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", "short")

    with pytest.raises(CommandError):
        call_command("ensure_staff")
    assert not Account.objects.exists()


def test_crash_between_account_and_role_leaves_neither(asked, monkeypatch):
    def crash(**_account):
        raise KeyboardInterrupt

    monkeypatch.setattr(roles, "make_staff", crash)

    with pytest.raises(KeyboardInterrupt):
        call_command("ensure_staff")

    assert not Account.objects.exists()


def test_account_that_an_older_crash_left_without_its_role_is_promoted(asked, capsys):
    accounts.register(email=EMAIL, password=PASSWORD)

    call_command("ensure_staff")

    assert Account.objects.get().is_staff


def test_stranger_who_registered_the_address_first_gets_no_role(asked, capsys):
    accounts.register(email=EMAIL, password="another passphrase")

    call_command("ensure_staff")

    assert not Account.objects.get().is_staff
    assert "`make_staff boss@example.org` makes it so" in capsys.readouterr().out


def test_role_that_was_taken_back_stays_so(asked):
    call_command("ensure_staff")
    roles.revoke_staff(account=Account.objects.get())

    call_command("ensure_staff")

    assert not Account.objects.get().is_staff
