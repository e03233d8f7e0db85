import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit import env
from users import services
from users.emails import InvalidEmail, normalise
from users.models import Account
from users.passwords import check_new_password


class Command(BaseCommand):
    help = "Give an account the staff role. With --create, make the account; its password comes from --password-stdin or STAFF_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--create", action="store_true", help="make the account if there is none")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the new account's password from stdin"
        )

    def handle(self, *, email: str, create: bool, password_stdin: bool, **_options: Any) -> None:
        try:
            account = Account.objects.filter(email=normalise(email)).first()
        except InvalidEmail as error:
            raise CommandError(str(error)) from error
        if account is None and not create:
            raise CommandError(f"Nobody is registered as {email}. Add --create to make the account.")
        account = account or self._create(email, from_stdin=password_stdin)
        new = services.make_staff(account=account)
        self.stdout.write(f"{account.email} is staff{'' if new else ' already'}.")

    def _create(self, email: str, *, from_stdin: bool) -> Account:
        password = sys.stdin.readline().rstrip("\n") if from_stdin else env.secret("STAFF_PASSWORD", "")
        try:
            check_new_password(password, email=email)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return services.register(email=email, password=password)
