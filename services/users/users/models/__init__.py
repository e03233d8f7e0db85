"""Accounts (AUTH_USER_MODEL), sessions, second factors, signing keys, guesses at passwords."""

from users.models.accounts import (
    ADMIN,
    CUSTOMER,
    EMAIL,
    MAX_EMAIL_LENGTH,
    STAFF,
    Account,
    AccountManager,
    InvalidEmail,
    validate_email,
)
from users.models.login_attempts import LoginAttempt
from users.models.second_factors import LogInChallenge, RecoveryCode, TotpDevice
from users.models.sessions import RefreshToken, Session
from users.models.signing_keys import SigningKey

__all__ = [
    "ADMIN",
    "CUSTOMER",
    "EMAIL",
    "MAX_EMAIL_LENGTH",
    "STAFF",
    "Account",
    "AccountManager",
    "InvalidEmail",
    "LogInChallenge",
    "LoginAttempt",
    "RecoveryCode",
    "RefreshToken",
    "Session",
    "SigningKey",
    "TotpDevice",
    "validate_email",
]
