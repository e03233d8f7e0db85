import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.services.signing_keys import (
    REFUSED_WITHIN_SECONDS,
    NextKeyTooYoung,
    rotate_signing_key,
    withdraw_signing_keys,
)


class Command(BaseCommand):
    help = (
        "Sign with the next key from now on. Nobody is logged out: the old key stays published "
        "while its tokens live."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--wait", action="store_true", help="wait until every verifier has the next key"
        )
        how.add_argument(
            "--withdraw",
            "--now",
            dest="withdraw",
            action="store_true",
            help="for a stolen key: withdraw every key at once, and with them all access tokens",
        )

    def handle(self, *, wait: bool, withdraw: bool, **_options: Any) -> None:
        if withdraw:
            self._withdraw()
        else:
            self._rotate(wait=wait)

    def _withdraw(self) -> None:
        done = withdraw_signing_keys()
        self.stdout.write(
            f"Withdrawn: {', '.join(done.withdrawn_kids)}. Every access token that they signed is "
            f"refused everywhere within {REFUSED_WITHIN_SECONDS} s.\n"
            f"Signing with {done.signing_kid}. Sessions that must refresh their access token: "
            f"{done.sessions}; nobody has to log in again."
        )

    def _rotate(self, *, wait: bool) -> None:
        while True:
            try:
                kid = rotate_signing_key()
            except NextKeyTooYoung as error:
                if not wait:
                    raise CommandError(
                        f"{error} Run again then, or use --wait; --withdraw is for a stolen key."
                    ) from error
                self.stdout.write(f"{error} Waiting.")
                time.sleep(min(error.wait_seconds, 10) + 0.5)
            else:
                self.stdout.write(
                    f"Signing with {kid}. "
                    "The key before it stays published until its tokens are over."
                )
                return
