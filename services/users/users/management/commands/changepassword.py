import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.management.accounts import account_for
from users.models import Account
from users.services import accounts

TRIES = 3


class Command(BaseCommand):
    """Takes the place of Django's command.

    Django saves every column of the row as it was before the operator began to type, and would
    undo a role that was taken back meanwhile; and sessions that the old password began would go on.
    """

    help = "Set an account's password; every session of it ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **_options: Any) -> None:
        account = account_for(email)
        accounts.set_password(account=account, password=self._ask(account))
        self.stdout.write(f"{account.email} has a new password; its sessions end.")

    def _ask(self, account: Account) -> str:
        for _ in range(TRIES):
            password = getpass.getpass()
            if password != getpass.getpass("Password (again): "):
                self.stderr.write("The passwords are not the same.")
                continue
            try:
                validate_password(password, account)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
            else:
                return password
        raise CommandError(f"No usable password in {TRIES} tries: nothing is changed.")
