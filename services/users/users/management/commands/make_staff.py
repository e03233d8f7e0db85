import re
import sys
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from servicekit import env
from users.management.accounts import account_for, find_account
from users.models import Account
from users.roles import ADMIN, STAFF_ROLES
from users.services import accounts, roles


class Command(BaseCommand):
    help = (
        "Give an account a role of staff, or take it back (--revoke; without --role, all of them). "
        "With --create, make the account; its password comes from --password-stdin or "
        "STAFF_PASSWORD."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--create", action="store_true", help="make the account if there is none")
        how.add_argument(
            "--revoke", action="store_true", help="take the role back; the account's sessions end"
        )
        parser.add_argument(
            "--role", choices=sorted(STAFF_ROLES), default="", help="the role; admin if not given"
        )
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the new account's password from stdin",
        )

    def handle(self, *, email: str, revoke: bool, role: str, **options: Any) -> None:
        done = self._revoke(email, role) if revoke else self._give(email, role or ADMIN, options)
        self.stdout.write(done)

    def _revoke(self, email: str, role: str) -> str:
        account = account_for(email)
        had = roles.revoke_staff(account=account, role=role)
        what = f"has no role {role}" if role else "is not staff"
        return f"{account.email} {what}{' any more; its sessions end' if had else ''}."

    def _give(self, email: str, role: str, options: Mapping[str, Any]) -> str:
        # One transaction: a crash between the two would leave an account without its role.
        with transaction.atomic():
            account = (
                self._ensured(email, options["password_stdin"])
                if options["create"]
                else account_for(email)
            )
            new = roles.make_staff(account=account, role=role)
        return f"{account.email} is staff with the role {role}{'' if new else ' already'}."

    def _ensured(self, email: str, from_stdin: bool) -> Account:
        account = find_account(email)
        if account is not None:
            return account
        password = _password_line() if from_stdin else env.secret("STAFF_PASSWORD", "")
        try:
            validate_password(password, Account(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return accounts.register(email=email, password=password, is_asked_to_verify=False)


def _password_line() -> str:
    # Bytes: a text stream would turn every carriage return into the end of a line.
    try:
        return re.sub(r"\r?\n\Z", "", sys.stdin.buffer.readline().decode())
    except UnicodeDecodeError as error:
        raise CommandError("The password is not UTF-8.") from error
