"""What a new password must be, besides Django's list of common passwords
(AUTH_PASSWORD_VALIDATORS).

Rules and order follow OWASP ASVS 5.0, 6.2. A password is used exactly as it was typed.
"""

from typing import Any

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.core.exceptions import ValidationError


class LengthValidator(MinimumLengthValidator):
    """Django's least length, and a limit to what is hashed."""

    def __init__(self, min_length: int = 8, max_length: int = 128) -> None:
        super().__init__(min_length)
        self.max_length = max_length

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError outside of the limits."""
        if not self.min_length <= len(password) <= self.max_length:
            raise ValidationError(self.get_help_text(), code="password_length")

    def get_help_text(self) -> str:
        """Return the rule in a sentence."""
        return f"Use {self.min_length} to {self.max_length} characters."


class BlankValidator:
    """More than blanks."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for blanks alone."""
        if not password.strip():
            raise ValidationError(self.get_help_text(), code="password_blank")

    def get_help_text(self) -> str:
        """Return the rule in a sentence."""
        return "Use more than blanks."


class OwnEmailValidator:
    """Neither the account's address nor the part before the @.

    Django's UserAttributeSimilarityValidator is not used: it accepts "ada.lovelace" for
    ada.lovelace@example.org (their ratio is 0.67), and refuses what was accepted so far.
    """

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for the address of `user`."""
        email = getattr(user, "email", "").strip().lower()
        if password.lower() in {email, email.partition("@")[0]}:
            raise ValidationError(self.get_help_text(), code="password_is_email")

    def get_help_text(self) -> str:
        """Return the rule in a sentence."""
        return "Use something else than your address."
