"""Accounts (AUTH_USER_MODEL), addresses, sessions, signing keys, guesses, the security log."""

from users.models.accounts import (
    CUSTOMER,
    EMAIL,
    MAX_EMAIL_LENGTH,
    STAFF,
    Account,
    AccountManager,
    InvalidEmail,
    Language,
    validate_email,
)
from users.models.addresses import MAX_ADDRESSES, Address
from users.models.countries import COUNTRIES
from users.models.login_attempts import LoginAttempt
from users.models.security_events import MAX_DEVICE_LENGTH, SecurityEvent
from users.models.sessions import RefreshToken, Session
from users.models.signing_keys import SigningKey

__all__ = [
    "COUNTRIES",
    "CUSTOMER",
    "EMAIL",
    "MAX_ADDRESSES",
    "MAX_DEVICE_LENGTH",
    "MAX_EMAIL_LENGTH",
    "STAFF",
    "Account",
    "AccountManager",
    "Address",
    "InvalidEmail",
    "Language",
    "LoginAttempt",
    "RefreshToken",
    "SecurityEvent",
    "Session",
    "SigningKey",
    "validate_email",
]
