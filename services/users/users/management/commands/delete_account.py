from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.management.accounts import account_for
from users.services import deletion


class Command(BaseCommand):
    help = "Delete an account and all that is personal of it, in every service and for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--yes", action="store_true", help="really")

    def handle(self, *, email: str, yes: bool, **_options: Any) -> None:
        account = account_for(email)
        if not yes:
            raise CommandError(f"Nothing was deleted. `--yes` deletes account {account.pk}.")
        deletion.delete_account(account=account)
        self.stdout.write(f"Account {account.pk} is deleted; other services forget it in seconds.")
