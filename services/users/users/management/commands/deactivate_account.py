from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from users.management.accounts import account_for
from users.services import accounts


class Command(BaseCommand):
    help = "Refuse an account from now on, and end its sessions in every service."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **_options: Any) -> None:
        account = account_for(email)
        new = accounts.deactivate(account=account)
        state = "can no longer log in; its sessions end" if new else "is deactivated already"
        self.stdout.write(f"{account.email} {state}.")
