"""What a new password must be: long enough, not common, not the address. It is used exactly as it was typed."""

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

MIN_LENGTH, MAX_LENGTH = 8, 128


def check_new_password(password: str, *, email: str) -> None:
    """Accept a password or say what is wrong with it (OWASP ASVS 5.0, 6.2).

    Raises:
        ValidationError: too short, too long to hash, blank, common, or the account's own address.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValidationError(f"Use {MIN_LENGTH} to {MAX_LENGTH} characters.", code="password_length")
    if not password.strip():
        raise ValidationError("Use more than blanks.", code="password_blank")
    if password.lower() in {email.lower(), email.lower().partition("@")[0]}:
        raise ValidationError("Use something else than your address.", code="password_is_email")
    CommonPasswordValidator().validate(password)
