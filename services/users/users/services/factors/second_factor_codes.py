"""Codes of second factors: each is accepted once, and one statement decides (ASVS 5.0, 6.5.1).

Secrets of apps are encrypted at rest, as signing keys are. Recovery codes are random enough for a
plain hash (ASVS 5.0, 6.5.2 asks for 112 bits): a stolen table gives none of them away.
"""

import base64
import hashlib
import logging
import re
import secrets
import time

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from users.errors import UnreadableSecondFactor
from users.models import Account, RecoveryCode, TotpDevice
from users.services import signing_keys
from users.services.factors import totp

RECOVERY_CODES, RECOVERY_CODE_BYTES = 10, 15
#: As people type them: the digits of an app, or a recovery code with or without its hyphens.
APP_CODE = re.compile(r"[0-9]{6}")
RECOVERY_CODE = re.compile(r"[a-z2-7]{24}")

logger = logging.getLogger(__name__)


def is_on(account: Account) -> bool:
    """Whether log-ins of the account need an app's code, or a passkey."""
    has_factor = Q(totp_device__confirmed_at__isnull=False) | Q(passkeys__isnull=False)
    return Account.objects.filter(has_factor, pk=account.pk).exists()


def spend(*, account: Account, code: str) -> bool:
    """Return whether it is a code of the account that was not used before; now it is used.

    In a transaction of the caller's, which a refusal by something else undoes. `code` is an app's
    or a recovery code's letters and digits without anything between.

    Raises:
        UnreadableSecondFactor: KEY_ENCRYPTION_KEY does not decrypt the app's secret.
    """
    if RECOVERY_CODE.fullmatch(code):
        unused = account.recovery_codes.filter(digest=_digest(code), used_at__isnull=True)
        return bool(unused.update(used_at=timezone.now()))
    device = TotpDevice.objects.filter(account=account, confirmed_at__isnull=False).first()
    step = device and step_of(device=device, code=code)
    if not step:
        return False
    # Two requests with one code: the second waits here for the first and finds the step taken.
    later = TotpDevice.objects.filter(account=account, last_step__lt=step)
    return bool(later.update(last_step=step))


def step_of(*, device: TotpDevice, code: str) -> int | None:
    """Return the time step whose code it is, or None.

    Raises:
        UnreadableSecondFactor: KEY_ENCRYPTION_KEY does not decrypt the secret.
    """
    try:
        secret = signing_keys.cipher().decrypt(bytes(device.encrypted_secret))
    except InvalidToken:
        logger.error(  # noqa: TRY400 - the trace tells nothing
            "KEY_ENCRYPTION_KEY does not decrypt a second factor",
            extra={"account": str(device.account_id)},
        )
        raise UnreadableSecondFactor from None
    return totp.step_of(secret=secret, code=code, now=time.time())


def replace_recovery_codes(*, account: Account) -> list[str]:
    """Make new recovery codes, which end the old ones; nobody can read them later.

    In the caller's transaction, which holds the account's lock.
    """
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    account.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(account=account, digest=_digest(code)) for code in codes
    )
    return ["-".join(re.findall("....", code)) for code in codes]


def renew_encryption() -> int:
    """Encrypt every secret under the first of KEY_ENCRYPTION_KEY that is not yet; return how many.

    What no key decrypts stays as it is, and is logged: its owner has recovery codes.
    """
    first = Fernet(settings.KEY_ENCRYPTION_KEYS[0])
    return sum(_renew(row, first) for row in TotpDevice.objects.iterator(chunk_size=1000))


def _renew(row: TotpDevice, first: Fernet) -> bool:
    old = bytes(row.encrypted_secret)
    if _decrypts(first, old):
        return False
    if not _decrypts(signing_keys.cipher(), old):
        logger.error(
            "KEY_ENCRYPTION_KEY does not decrypt a second factor",
            extra={"account": str(row.account_id)},
        )
        return False
    renewed = first.encrypt(signing_keys.cipher().decrypt(old))
    # Unless it was set up anew meanwhile.
    unchanged = TotpDevice.objects.filter(pk=row.pk, encrypted_secret=old)
    return bool(unchanged.update(encrypted_secret=renewed))


def _decrypts(cipher: Fernet | MultiFernet, secret: bytes) -> bool:
    try:
        cipher.decrypt(secret)
    except InvalidToken:
        return False
    return True


def _new_recovery_code() -> str:
    return base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower()


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
