from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from servicekit import env
from users.models import Account


class Command(BaseCommand):
    help = "Make the first member of staff, STAFF_EMAIL with STAFF_PASSWORD, unless an account has that address; it may run any number of times."

    def handle(self, **_options: Any) -> None:
        email = env.text("STAFF_EMAIL", "")
        if not email:
            self.stdout.write("STAFF_EMAIL is not set: no staff made.")
        elif Account.objects.filter(email=email.lower()).exists():
            self.stdout.write(f"{email} is registered.")
        else:
            call_command("make_staff", email, "--create", stdout=self.stdout)
