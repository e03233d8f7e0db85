from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from users.management.accounts import account_for
from users.services.factors import second_factor


class Command(BaseCommand):
    help = (
        "Take the second factor from an account whose owner has lost it and the recovery codes; "
        "its sessions end. Be sure that it is the owner who asks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **_options: Any) -> None:
        account = account_for(email)
        had = second_factor.remove(account=account)
        self.stdout.write(
            f"{account.email} has no second factor{' any more; its sessions end' if had else ''}."
        )
