"""What ops run."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests.factories import PASSWORD, make_account
from users.models import Account


@pytest.mark.django_db
def test_make_staff_gives_the_role_once(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    account = make_account(email="ada@example.org")

    call_command("make_staff", "ADA@example.org")
    call_command("make_staff", "ada@example.org")

    account.refresh_from_db()
    assert account.is_staff
    assert capsys.readouterr().out == "ada@example.org is staff.\nada@example.org is staff already.\n"


@pytest.mark.django_db
def test_make_staff_creates_an_account_with_a_password_from_stdin(
    ring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))

    call_command("make_staff", "ada@example.org", "--create", "--password-stdin")

    assert Account.objects.get().is_staff


@pytest.mark.django_db
def test_make_staff_refuses_strangers_and_weak_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))

    with pytest.raises(CommandError, match="--create"):
        call_command("make_staff", "ada@example.org")
    with pytest.raises(CommandError, match="characters"):
        call_command("make_staff", "ada@example.org", "--create", "--password-stdin")
    with pytest.raises(CommandError, match="ASCII"):
        call_command("make_staff", "no address")

    assert not Account.objects.exists()
