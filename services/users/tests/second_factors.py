"""An account's authenticator app, as tests have it."""

import time
from dataclasses import dataclass

from tests.factories import PASSWORD, make_account
from users.models import Account, TotpDevice
from users.services import signing_keys
from users.services.factors import second_factor, totp


@dataclass
class App:
    """The app of an account with a second factor, and the recovery codes."""

    account: Account
    recovery_codes: list[str]

    def fresh_code(self) -> str:
        """Return a code that passes, however many were used in this half minute."""
        TotpDevice.objects.filter(account=self.account).update(last_step=0)
        return code_of(self.account)

    def wrong_code(self) -> str:
        """Return six digits that are no code for the next minutes."""
        secret, now = secret_of(self.account), totp.step_at(time.time())
        near = {totp.code_of(secret=secret, step=step) for step in range(now - 5, now + 10)}
        return next(f"{number:06}" for number in range(100) if f"{number:06}" not in near)

    def recovery_code(self, number: int = 0) -> str:
        """Return a recovery code as the API passes it on."""
        return self.recovery_codes[number].replace("-", "")


def code_of(account: Account) -> str:
    """Return the code that the account's app shows now."""
    return totp.code_of(secret=secret_of(account), step=totp.step_at(time.time()))


def secret_of(account: Account) -> bytes:
    row = TotpDevice.objects.get(account=account)
    return signing_keys.cipher().decrypt(bytes(row.encrypted_secret))


def with_second_factor(account: Account | None = None) -> App:
    """Switch the second factor of an account on."""
    account = account or make_account()
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    codes = second_factor.confirm(account_id=account.pk, code=code_of(account), session_id=None)
    return App(account, codes)
