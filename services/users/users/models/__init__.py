"""Accounts (AUTH_USER_MODEL), sessions, signing keys, guesses at passwords, tokens of mails."""

from users.models.accounts import (
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
from users.models.mail_tokens import MailRequest, MailToken
from users.models.sessions import RefreshToken, Session
from users.models.signing_keys import SigningKey

__all__ = [
    "CUSTOMER",
    "EMAIL",
    "MAX_EMAIL_LENGTH",
    "STAFF",
    "Account",
    "AccountManager",
    "InvalidEmail",
    "LoginAttempt",
    "MailRequest",
    "MailToken",
    "RefreshToken",
    "Session",
    "SigningKey",
    "validate_email",
]
