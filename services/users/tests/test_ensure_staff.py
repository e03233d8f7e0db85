import pytest
from django.core.management import CommandError, call_command

from users import services
from users.models import Account

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
    services.register(email=EMAIL, password="another passphrase")

    call_command("ensure_staff")

    assert not Account.objects.get().is_staff


def test_weak_password_is_refused(asked, monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", "short")

    with pytest.raises(CommandError):
        call_command("ensure_staff")
    assert not Account.objects.exists()
