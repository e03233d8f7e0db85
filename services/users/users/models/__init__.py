"""Accounts (AUTH_USER_MODEL), sessions, signing keys, guesses, tokens of mails, machine clients."""

from users.models.accounts import (
    EMAIL,
    MAX_EMAIL_LENGTH,
    Account,
    AccountManager,
    InvalidEmail,
    validate_email,
)
from users.models.login_attempts import LoginAttempt
from users.models.mail_tokens import MailRequest, MailToken
from users.models.service_clients import ServiceClient
from users.models.sessions import RefreshToken, Session
from users.models.signing_keys import SigningKey

__all__ = [
    "EMAIL",
    "MAX_EMAIL_LENGTH",
    "Account",
    "AccountManager",
    "InvalidEmail",
    "LoginAttempt",
    "MailRequest",
    "MailToken",
    "RefreshToken",
    "ServiceClient",
    "Session",
    "SigningKey",
    "validate_email",
]
