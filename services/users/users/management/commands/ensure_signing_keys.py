from typing import Any

from django.core.management.base import BaseCommand

from users.keys import ensure_signing_keys


class Command(BaseCommand):
    help = "Make the first signing keys where there are none; it may run any number of times."

    def handle(self, **_options: Any) -> None:
        made = ensure_signing_keys()
        self.stdout.write(f"Made {', '.join(made)}." if made else "The signing keys are there.")
