"""An account is Django's user: its manager, commands, password validators and hashers work."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import Argon2PasswordHasher, ScryptPasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from servicekit.auth import tokens as access_tokens
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from users.errors import EmailTaken, WrongCredentials
from users.models import Account, InvalidEmail, Session
from users.services import accounts, roles, sessions

NEW = "another good one"
#: Of PASSWORD, made at commit 2fa4491, before accounts were Django's users.
OLD_HASH = (
    "argon2$argon2id$v=19$m=19456,t=2,p=1$VVRBanU3WjBoM1ZrZ0pZUDZEM0tvMA"
    "$V1A/9tGQEonN5uRUBQ0H8KVsZxA014jWDUC4jJJzXIA"
)


@pytest.mark.django_db
def test_create_user_registers_as_the_api_does() -> None:
    account = Account.objects.create_user("Ada@Example.ORG", PASSWORD)

    assert (account.email, account.is_staff, account.is_superuser) == (
        "ada@example.org",
        False,
        False,
    )
    (event,) = outbox_events()
    assert event["type"] == "users.user_registered.v2"
    assert event["data"]["roles"] == ["customer"]
    with pytest.raises(EmailTaken):
        Account.objects.create_user("ADA@example.org", PASSWORD)
    with pytest.raises(InvalidEmail):
        Account.objects.create_user("ädä@example.org", PASSWORD)
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_account_without_a_password_cannot_log_in(ring: None) -> None:
    account = Account.objects.create_user("ada@example.org")

    assert not account.has_usable_password()
    for guess in ("", "!", account.password):
        with pytest.raises(WrongCredentials):
            sessions.log_in(email=account.email, password=guess)


@pytest.mark.django_db
def test_superuser_is_staff_in_tokens_and_may_do_everything(ring: None) -> None:
    account = Account.objects.create_superuser("ada@example.org", PASSWORD)

    answer = sessions.log_in(email=account.email, password=PASSWORD)

    assert access_tokens.verified(answer["access_token"]).claims.roles == {
        "customer",
        "staff",
        "admin",
    }
    assert account.has_perm("users.change_account")
    (event,) = outbox_events("users.user_registered.v2")
    assert event["data"]["roles"] == ["customer", "staff", "admin"]


@pytest.mark.django_db
def test_staff_role_taken_back_leaves_no_superuser() -> None:
    account = Account.objects.create_superuser("ada@example.org", PASSWORD)

    roles.revoke_staff(account=account)

    account.refresh_from_db()
    assert (account.is_staff, account.is_superuser) == (False, False)


@pytest.mark.django_db
def test_database_refuses_a_superuser_who_is_not_staff() -> None:
    account = make_account()

    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(is_superuser=True)

    account.refresh_from_db()
    assert not account.is_superuser


@pytest.mark.django_db
def test_django_authenticates_an_account_under_any_spelling() -> None:
    account = make_account(email="ada@example.org")

    assert authenticate(username=" ADA@example.org", password=PASSWORD) == account
    for email in ("bob@example.org", "no address", "a\0@example.org"):
        assert authenticate(username=email, password=PASSWORD) is None
    assert authenticate(username="ada@example.org", password="wrong") is None


@pytest.mark.django_db
def test_createsuperuser_takes_the_password_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)

    call_command("createsuperuser", interactive=False, email="Ada@Example.org", verbosity=0)

    account = Account.objects.get()
    assert (account.email, account.is_superuser) == ("ada@example.org", True)
    assert account.check_password(PASSWORD)
    assert len(outbox_events()) == 1
    for email, fault in (("ADA@example.org", "already taken"), ("no address", "ASCII")):
        with pytest.raises(CommandError, match=fault):
            call_command("createsuperuser", interactive=False, email=email, verbosity=0)
    assert Account.objects.count() == 1


class Terminal:
    """A stdin that a person types at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a person type these lines, passwords among them."""

    def type_lines(*lines: str) -> None:
        left = iter(lines)
        for name in ("builtins.input", "getpass.getpass"):
            monkeypatch.setattr(name, lambda *_prompt, **_options: next(left))

    return type_lines


@pytest.mark.django_db
def test_createsuperuser_asks_and_validates(typed: Callable[..., None]) -> None:
    typed("ädä@example.org", "Ada@example.org", "password1", "password1", "n", PASSWORD, PASSWORD)

    call_command("createsuperuser", stdin=Terminal(), verbosity=0)

    account = Account.objects.get()
    assert (account.email, account.is_superuser) == ("ada@example.org", True)
    assert account.check_password(PASSWORD)


@pytest.mark.django_db
def test_changepassword_ends_every_session(ring: None, typed: Callable[..., None]) -> None:
    account = make_account(email="ada@example.org")
    for _ in range(2):
        sessions.log_in(email=account.email, password=PASSWORD)
    typed("short", "short", NEW, "not the same", NEW, NEW)

    call_command("changepassword", "ADA@example.org")

    assert Account.objects.get().check_password(NEW)
    assert set(Session.objects.values_list("end_reason", flat=True)) == {"password"}
    assert len(outbox_events("users.user_sessions_revoked.v1")) == 2
    with pytest.raises(WrongCredentials):
        sessions.log_in(email=account.email, password=PASSWORD)


@pytest.mark.django_db
def test_changepassword_gives_back_no_role_that_was_lost_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = make_account(email="ada@example.org", is_staff=True)

    def type_slowly(*_prompt: str) -> str:
        roles.revoke_staff(account=account)
        return NEW

    monkeypatch.setattr("getpass.getpass", type_slowly)

    call_command("changepassword", "ada@example.org")

    assert not Account.objects.get().is_staff


@pytest.mark.django_db
def test_changepassword_gives_up_and_changes_nothing(
    ring: None, typed: Callable[..., None]
) -> None:
    account = make_account(email="ada@example.org")
    sessions.log_in(email=account.email, password=PASSWORD)
    typed(*["password1"] * 6)

    with pytest.raises(CommandError, match="nothing is changed"):
        call_command("changepassword", "ada@example.org")
    with pytest.raises(CommandError, match="Nobody is registered"):
        call_command("changepassword", "bob@example.org")

    assert Account.objects.get().password == account.password
    assert Session.objects.get().ended_at is None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("seven..", "password_length"),
        ("x" * 129, "password_length"),
        (" " * 8, "password_blank"),
        ("Ada.Lovelace@example.org", "password_is_email"),
        ("ada.LOVELACE", "password_is_email"),
        ("Password1", "password_too_common"),
    ],
)
def test_validators_refuse_a_password_by_its_code(password: str, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_password(password, Account(email=" Ada.Lovelace@example.org"))

    assert [error.code for error in refusal.value.error_list] == [code]


@pytest.mark.django_db
def test_hash_of_an_older_release_still_logs_in(ring: None) -> None:
    account = make_account()
    Account.objects.update(password=OLD_HASH)

    assert sessions.log_in(email=account.email, password=PASSWORD)["access_token"]

    # The hasher is the same as then: nothing is written.
    assert Account.objects.get().password == OLD_HASH


@pytest.fixture
def other_hasher(settings: Any) -> Iterator[str]:
    """Prefer another hasher from now on; return how its hashes begin."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    return "scrypt$"


@pytest.mark.django_db
def test_log_in_renews_the_hash_when_the_hasher_changed(ring: None, other_hasher: str) -> None:
    account = make_account()
    Account.objects.update(password=OLD_HASH)

    with pytest.raises(WrongCredentials):
        sessions.log_in(email=account.email, password="wrong")
    assert Account.objects.get().password == OLD_HASH
    sessions.log_in(email=account.email, password=PASSWORD)

    renewed = Account.objects.get().password
    assert renewed.startswith(other_hasher)
    sessions.log_in(email=account.email, password=PASSWORD)
    assert Account.objects.get().password == renewed
    assert Session.objects.filter(ended_at=None).count() == 2


@pytest.mark.django_db
def test_renewed_hash_never_brings_back_an_old_password(other_hasher: str) -> None:
    make_account()
    Account.objects.update(password=OLD_HASH)
    checked_by_a_log_in = Account.objects.get()
    accounts.set_password(account=checked_by_a_log_in, password=NEW)

    checked_by_a_log_in.check_password(PASSWORD)
    async_to_sync(checked_by_a_log_in.acheck_password)(PASSWORD)

    assert Account.objects.get().check_password(NEW)
    assert not Account.objects.get().check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_log_ins_at_once_that_renew_a_hash_all_succeed(ring: None, other_hasher: str) -> None:
    account = make_account()
    Account.objects.update(password=OLD_HASH)

    results = at_once(*[lambda: sessions.log_in(email=account.email, password=PASSWORD)] * 4)

    assert all("access_token" in result for result in results)
    assert Account.objects.get().password.startswith(other_hasher)


@pytest.mark.django_db(transaction=True)
def test_change_of_password_succeeds_while_log_ins_renew_the_hash(
    ring: None, other_hasher: str
) -> None:
    account = make_account()
    Account.objects.update(password=OLD_HASH)

    def log_in() -> Any:
        return sessions.log_in(email=account.email, password=PASSWORD)

    def change() -> None:
        accounts.change_password(account_id=account.pk, current=PASSWORD, new=NEW, session_id=None)

    changed, *logged_in = at_once(change, log_in, log_in)

    assert changed is None
    assert all(isinstance(result, dict | WrongCredentials) for result in logged_in)
    assert Account.objects.get().check_password(NEW)
    assert not Session.objects.filter(ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_no_lock_is_held_while_a_password_is_hashed(
    ring: None, monkeypatch: pytest.MonkeyPatch, other_hasher: str
) -> None:
    in_transaction = []

    def recorded(hashing: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any, **options: Any) -> Any:
            in_transaction.append(connection.in_atomic_block)
            return hashing(*arguments, **options)

        return record

    for hasher in (ScryptPasswordHasher, Argon2PasswordHasher):
        for method in ("encode", "verify"):
            monkeypatch.setattr(hasher, method, recorded(getattr(hasher, method)))

    account = make_account()
    Account.objects.update(password=OLD_HASH)
    sessions.log_in(email=account.email, password=PASSWORD)
    accounts.change_password(account_id=account.pk, current=PASSWORD, new=NEW, session_id=None)
    accounts.set_password(account=account, password=PASSWORD)

    assert len(in_transaction) >= 6
    assert not any(in_transaction)


BEFORE_DJANGO_USER = [("users", "0002_login_attempts"), ("auth", None)]


@pytest.mark.django_db(transaction=True)
def test_database_of_the_release_before_migrates_with_its_rows(ring: None) -> None:
    executor = MigrationExecutor(connection)
    try:
        executor.migrate(BEFORE_DJANGO_USER)
        state = MigrationExecutor(connection).loader.project_state(BEFORE_DJANGO_USER[:1])
        old_account = state.apps.get_model("users", "Account")
        old_account.objects.create(email="boss@example.org", password=OLD_HASH, is_staff=True)
    finally:
        call_command("migrate", verbosity=0)

    # While an upgrade migrates, the release before still registers.
    old_account.objects.create(email="ada@example.org", password=OLD_HASH)

    for email, is_staff in (("boss@example.org", True), ("ada@example.org", False)):
        account = Account.objects.get(email=email)
        assert (account.is_staff, account.is_superuser) == (is_staff, False)
        assert account.roles == ["customer", *(["staff", "admin"] if is_staff else [])]
        assert sessions.log_in(email=email, password=PASSWORD)["access_token"]
