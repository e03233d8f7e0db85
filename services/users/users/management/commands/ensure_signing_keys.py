from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.errors import UnreadableKeys
from users.services import signing_keys
from users.services.factors import second_factor_codes


class Command(BaseCommand):
    help = (
        "Make the first signing keys where there are none, and encrypt all, and the secrets of "
        "second factors, under the first KEY_ENCRYPTION_KEY; it may run any number of times."
    )

    def handle(self, **_options: Any) -> None:
        try:
            made = signing_keys.ensure_signing_keys()
            renewed = signing_keys.renew_encryption() + second_factor_codes.renew_encryption()
        except UnreadableKeys as error:
            raise CommandError(
                "KEY_ENCRYPTION_KEY does not decrypt the signing keys: put the key that they were "
                "encrypted under behind the new one, separated by a comma; or "
                "`rotate_signing_key --withdraw` makes new ones."
            ) from error
        self.stdout.write(f"Made {', '.join(made)}." if made else "The signing keys are there.")
        if renewed:
            self.stdout.write(
                f"{renewed} encrypted anew; the other keys of KEY_ENCRYPTION_KEY may be removed."
            )
