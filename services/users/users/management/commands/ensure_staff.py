from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from servicekit import env
from users.management.accounts import find_account
from users.models import Account
from users.roles import STAFF
from users.services import roles


class Command(BaseCommand):
    help = (
        "Make the first admin, STAFF_EMAIL with STAFF_PASSWORD, unless an account has "
        "that address; it may run any number of times."
    )

    def handle(self, **_options: Any) -> None:
        email = env.text("STAFF_EMAIL", "")
        if not email:
            self.stdout.write("STAFF_EMAIL is not set: no staff made.")
            return
        account = find_account(email)
        if account is None:
            call_command("make_staff", email, "--create", stdout=self.stdout)
        elif STAFF in account.roles:
            self.stdout.write(f"{email} is staff.")
        else:
            self.stdout.write(self._promote(account))

    def _promote(self, account: Account) -> str:
        """Give the role to an account that this command made and a crash left without it.

        Such an account is unchanged since and has our password. Any other is left alone: a stranger
        may have registered the address first, and a role that was taken back must not return at the
        next start.
        """
        password = env.secret("STAFF_PASSWORD", "")
        if account.version == 1 and password and account.check_password(password):
            roles.make_staff(account=account)
            return f"{account.email} is staff."
        return (
            f"{account.email} is registered and is not staff. "
            f"`make_staff {account.email}` makes it so."
        )
