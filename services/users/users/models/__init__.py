"""Accounts (AUTH_USER_MODEL) and what belongs to them, signing keys, machine clients."""

from users.models.accounts import (
    EMAIL,
    MAX_EMAIL_LENGTH,
    Account,
    AccountManager,
    InvalidEmail,
    Language,
    validate_email,
)
from users.models.addresses import MAX_ADDRESSES, Address
from users.models.login_attempts import LoginAttempt
from users.models.mail_tokens import MailRequest, MailToken
from users.models.passkeys import (
    MAX_PASSKEY_NAME_LENGTH,
    MAX_PASSKEYS,
    Passkey,
    SpentPasskeyChallenge,
)
from users.models.registrations import Registration
from users.models.second_factors import LogInChallenge, RecoveryCode, TotpDevice
from users.models.security_events import MAX_DEVICE_LENGTH, SecurityEvent
from users.models.service_clients import ServiceClient
from users.models.sessions import RefreshToken, Session
from users.models.signing_keys import SigningKey

__all__ = [
    "EMAIL",
    "MAX_ADDRESSES",
    "MAX_DEVICE_LENGTH",
    "MAX_EMAIL_LENGTH",
    "MAX_PASSKEYS",
    "MAX_PASSKEY_NAME_LENGTH",
    "Account",
    "AccountManager",
    "Address",
    "InvalidEmail",
    "Language",
    "LogInChallenge",
    "LoginAttempt",
    "MailRequest",
    "MailToken",
    "Passkey",
    "RecoveryCode",
    "RefreshToken",
    "Registration",
    "SecurityEvent",
    "ServiceClient",
    "Session",
    "SigningKey",
    "SpentPasskeyChallenge",
    "TotpDevice",
    "validate_email",
]
