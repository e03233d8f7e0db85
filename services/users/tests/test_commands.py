"""What ops run."""

import io
from pathlib import Path

import jwt
import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command

from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from users.errors import InvalidRefreshToken, WrongCredentials
from users.models import Account, Session, SigningKey
from users.services import sessions


def typed(text: str) -> io.TextIOWrapper:
    """What stands on stdin."""
    return io.TextIOWrapper(io.BytesIO(text.encode()))


@pytest.mark.django_db
def test_make_staff_gives_the_role_once(ring: None, capsys: pytest.CaptureFixture[str]) -> None:
    account = make_account(email="ada@example.org")

    call_command("make_staff", "ADA@example.org")
    call_command("make_staff", "ada@example.org")

    account.refresh_from_db()
    assert account.is_staff
    assert (
        capsys.readouterr().out == "ada@example.org is staff with the role admin.\n"
        "ada@example.org is staff with the role admin already.\n"
    )


@pytest.mark.django_db
def test_make_staff_creates_an_account_with_a_password_from_stdin(
    ring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", typed(f"{PASSWORD}\n"))

    call_command("make_staff", "ada@example.org", "--create", "--password-stdin")

    assert Account.objects.get().is_staff


@pytest.mark.django_db
def test_make_staff_refuses_strangers_and_weak_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", typed("short\n"))

    with pytest.raises(CommandError, match="--create"):
        call_command("make_staff", "ada@example.org")
    with pytest.raises(CommandError, match="characters"):
        call_command("make_staff", "ada@example.org", "--create", "--password-stdin")
    with pytest.raises(CommandError, match="ASCII"):
        call_command("make_staff", "no address")

    assert not Account.objects.exists()


@pytest.mark.django_db
def test_make_staff_takes_the_password_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAFF_PASSWORD", PASSWORD)

    call_command("make_staff", "Ada@Example.org", "--create")

    account = Account.objects.get()
    assert (account.email, account.is_staff) == ("ada@example.org", True)
    assert check_password(PASSWORD, account.password)
    assert [event["type"] for event in outbox_events()] == [
        "users.user_registered.v2",
        "users.user_updated.v1",
    ]


@pytest.mark.django_db
def test_make_staff_takes_the_password_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "staff_password"
    secret.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("STAFF_PASSWORD_FILE", str(secret))

    call_command("make_staff", "ada@example.org", "--create")

    assert check_password(PASSWORD, Account.objects.get().password)


@pytest.mark.django_db
def test_make_staff_has_no_default_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAFF_PASSWORD", raising=False)
    monkeypatch.delenv("STAFF_PASSWORD_FILE", raising=False)

    with pytest.raises(CommandError, match="characters"):
        call_command("make_staff", "ada@example.org", "--create")

    assert not Account.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_make_staff_keeps_the_password_of_an_account_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_account(email="ada@example.org")
    monkeypatch.setenv("STAFF_PASSWORD", "quite another one")

    call_command("make_staff", "ada@example.org", "--create")

    account = Account.objects.get()
    assert account.is_staff
    assert check_password(PASSWORD, account.password)


@pytest.mark.django_db
def test_ensure_signing_keys_names_what_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("ensure_signing_keys")
    call_command("ensure_signing_keys")

    first, second = capsys.readouterr().out.splitlines()
    assert set(first.removeprefix("Made ").removesuffix(".").split(", ")) == kids()
    assert len(kids()) == 2
    assert second == "The signing keys are there."


@pytest.mark.django_db
def test_rotate_signing_key_too_early_changes_nothing(ring: None) -> None:
    before = list(SigningKey.objects.order_by("kid").values_list("kid", "state", "changed_at"))

    with pytest.raises(CommandError, match="must stay published"):
        call_command("rotate_signing_key")

    assert (
        list(SigningKey.objects.order_by("kid").values_list("kid", "state", "changed_at")) == before
    )


@pytest.mark.django_db
def test_rotate_signing_key_now_names_the_key_that_signs(
    ring: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("rotate_signing_key", "--withdraw")

    assert f"Signing with {SigningKey.objects.get(state='current').kid}." in capsys.readouterr().out


@pytest.mark.django_db
def test_rotate_signing_key_cannot_both_wait_and_not(ring: None) -> None:
    before = kids()

    with pytest.raises(CommandError, match="not allowed with"):
        call_command("rotate_signing_key", "--wait", "--withdraw")

    assert kids() == before


def kids() -> set[str]:
    return set(SigningKey.objects.values_list("kid", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("command", [["make_staff", "--revoke"], ["deactivate_account"]])
def test_off_boarding_ends_every_session(
    ring: None, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    account = make_account(email="ada@example.org", is_staff=True)
    tokens = [sessions.log_in(email=account.email, password=PASSWORD) for _ in range(2)]
    name, *options = command

    call_command(name, "ADA@example.org", *options)
    call_command(name, "ada@example.org", *options)

    revoked = outbox_events("users.user_sessions_revoked.v1")
    assert {event["data"]["session_id"] for event in revoked} == set(
        map(str, Session.objects.values_list("pk", flat=True))
    )
    assert len(revoked) == 2
    for answer in tokens:
        with pytest.raises(InvalidRefreshToken):
            sessions.refresh(refresh_token=answer["refresh_token"])
    assert capsys.readouterr().out.count("end") == 1


@pytest.mark.django_db
def test_deactivated_account_cannot_log_in_until_it_is_reactivated(ring: None) -> None:
    account = make_account(email="ada@example.org")
    call_command("deactivate_account", "ada@example.org")

    with pytest.raises(WrongCredentials):
        sessions.log_in(email=account.email, password=PASSWORD)

    call_command("reactivate_account", "ada@example.org")
    assert sessions.log_in(email=account.email, password=PASSWORD)["access_token"]


@pytest.mark.django_db
def test_account_without_the_role_logs_in_as_a_customer(ring: None) -> None:
    account = make_account(email="ada@example.org", is_staff=True)
    call_command("make_staff", "ada@example.org", "--revoke")

    token = sessions.log_in(email=account.email, password=PASSWORD)["access_token"]

    assert jwt.decode(token, options={"verify_signature": False})["roles"] == ["customer"]


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["deactivate_account", "reactivate_account", "delete_account"])
def test_commands_refuse_strangers(command: str) -> None:
    with pytest.raises(CommandError, match="Nobody is registered"):
        call_command(command, "ada@example.org")
    with pytest.raises(CommandError, match="ASCII"):
        call_command(command, "no address")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("end", "kept"), [("", ""), ("\n", ""), ("\r\n", ""), ("\r\r\n", "\r"), (" \n", " ")]
)
def test_password_from_stdin_loses_one_line_end_and_nothing_else(
    ring: None, monkeypatch: pytest.MonkeyPatch, end: str, kept: str
) -> None:
    monkeypatch.setattr("sys.stdin", typed(f"{PASSWORD}{end}"))

    call_command("make_staff", "ada@example.org", "--create", "--password-stdin")

    assert check_password(PASSWORD + kept, Account.objects.get().password)


@pytest.mark.django_db
def test_account_is_deleted_only_when_that_is_said_twice() -> None:
    make_account(email="ada@example.org")

    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("delete_account", "ada@example.org")
    assert Account.objects.exists()
    call_command("delete_account", "ada@example.org", "--yes")

    assert not Account.objects.exists()
    assert outbox_events()[-1]["type"] == "users.user_deleted.v1"
