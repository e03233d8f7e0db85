from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from users.management.accounts import account_for
from users.services import accounts


class Command(BaseCommand):
    help = "Let a deactivated account log in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **_options: Any) -> None:
        account = account_for(email)
        new = accounts.reactivate(account=account)
        self.stdout.write(f"{account.email} {'can log in again' if new else 'is active already'}.")
