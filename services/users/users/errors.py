"""What users refuses, as the API answers it."""

from servicekit.http.problems import Conflict, Problem, ServiceUnavailable


class EmailTaken(Conflict):
    """The address has an account already."""

    def __init__(self) -> None:
        super().__init__("This address has an account. Log in, or use another.")


class WrongCredentials(Problem):
    """No active account has this address and password; which is wrong is not told."""

    status_code = 401
    title = "Wrong email or password"
    auth_header = 'Bearer realm="souk"'

    def __init__(self) -> None:
        super().__init__("No active account has this address and password.")


class TooManyAttempts(Problem):
    """The password was tried too often from this source or from all of them.

    Addresses without an account get the same answer.
    """

    status_code = 429

    def __init__(self, *, wait_seconds: int) -> None:
        super().__init__("Try again later.", headers={"Retry-After": str(wait_seconds)})


class NoSigningKey(ServiceUnavailable):
    """The first signing keys were not made yet."""

    def __init__(self) -> None:
        detail = "There is no signing key yet: `manage.py ensure_signing_keys` makes one."
        super().__init__(detail, code="no_signing_key")


class UnreadableKeys(ServiceUnavailable):
    """The signing keys were encrypted under a key that is not in KEY_ENCRYPTION_KEY."""

    def __init__(self) -> None:
        super().__init__("The signing keys cannot be read.", code="signing_keys_unreadable")


class InvalidRefreshToken(Problem):
    """The refresh token is unknown, spent, expired or revoked: log in again."""

    status_code = 401
    auth_header = 'Bearer realm="souk", error="invalid_token"'


class WrongPassword(Problem):
    """The current password that was sent is not the account's."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("The current password is not that.")


class UnusableToken(Problem):
    """A token of a mail is unknown, used, expired, or for something else; which is not told."""

    status_code = 400
    title = "The token cannot be used"

    def __init__(self) -> None:
        super().__init__("It is unknown, used or expired. Ask for another mail.")


class EmailVerified(Conflict):
    """The account's address is verified already."""

    def __init__(self) -> None:
        super().__init__("The address is verified.")


class SameEmail(Conflict):
    """The new address is the account's already."""

    def __init__(self) -> None:
        super().__init__("The account has this address.")
