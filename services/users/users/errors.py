"""What users refuses, as the API answers it."""

from typing import Any

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


class SecondFactorRequired(Problem):
    """Address and password are right, and the account has a second factor: send a code, or what
    a passkey answers to `passkey`.
    """

    status_code = 401
    auth_header = 'Bearer realm="souk"'

    def __init__(
        self, *, challenge: str, expires_in: int, passkey: dict[str, Any] | None = None
    ) -> None:
        options = {"passkey": passkey} if passkey else {}
        super().__init__(
            "Send the challenge with a code or a passkey to /api/auth/second-factor/.",
            members={"challenge": challenge, "expires_in": expires_in, **options},
            headers={"Cache-Control": "no-store"},
        )


class InvalidChallenge(Problem):
    """The challenge is unknown, answered, used up, expired or void: log in again."""

    status_code = 401
    auth_header = 'Bearer realm="souk"'

    def __init__(self) -> None:
        super().__init__("Log in again.")


class WrongLogInCode(Problem):
    """The code of a log-in is not one of the account's now, or was used before."""

    status_code = 401
    code = "wrong_code"
    title = "Wrong code"
    auth_header = 'Bearer realm="souk"'

    def __init__(self, *, tries_left: int) -> None:
        super().__init__(
            "It is wrong, or was used before: each code works once.",
            members={"tries_left": tries_left},
        )


class WrongCode(Problem):
    """The code is not one of the account's now, or was used before."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("It is wrong, or was used before: each code works once.")


class SecondFactorOn(Conflict):
    """The account has an authenticator app."""

    def __init__(self) -> None:
        super().__init__("There is an app. Switch the second factor off before you set up another.")


class SecondFactorOff(Conflict):
    """The account has no second factor."""

    def __init__(self) -> None:
        super().__init__("There is no second factor.")


class NoSetUp(Conflict):
    """No set-up of a second factor waits for a code."""

    code = "second_factor_not_begun"
    title = "Second factor not begun"

    def __init__(self) -> None:
        super().__init__("No set-up was begun in the last 15 minutes. Begin again.")


class UnreadableSecondFactor(ServiceUnavailable):
    """An app's secret was encrypted under a key that is not in KEY_ENCRYPTION_KEY."""

    def __init__(self) -> None:
        super().__init__(
            "Codes of the app cannot be checked now. A recovery code can.",
            code="second_factor_unreadable",
        )


class LastAdmin(Conflict):
    """Nobody else is an active admin."""

    def __init__(self) -> None:
        super().__init__("Nobody else is an admin. Make somebody else an admin first.")


class NameTaken(Conflict):
    """A machine client that is not withdrawn has the name."""

    def __init__(self) -> None:
        super().__init__("Another client has this name.")


class ClientWithdrawn(Conflict):
    """The machine client was withdrawn."""

    def __init__(self) -> None:
        super().__init__("The client was withdrawn. Make another.")


class OAuthProblem(Problem, abstract=True):
    """A refusal of a token with the members of RFC 6749, 5.2; `error` is the code."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, members={"error": self.code, "error_description": detail})


class InvalidClient(OAuthProblem):
    """No machine client has this id and secret; which is wrong is not told."""

    status_code = 401
    auth_header = 'Basic realm="souk"'

    def __init__(self) -> None:
        super().__init__("Send the id and the secret of a client by HTTP Basic authentication.")


class InvalidScope(OAuthProblem):
    """The client was not given each of the scopes that it asks for."""

    def __init__(self) -> None:
        super().__init__("The client does not have each of these scopes.")


class UnsupportedGrantType(OAuthProblem):
    """Another grant than client_credentials is asked for."""

    def __init__(self) -> None:
        super().__init__("This address knows client_credentials alone.")


class InvalidTokenRequest(OAuthProblem):
    """A parameter is missing, or contradicts the Authorization header."""

    code = "invalid_request"


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


class StaleVersion(Problem):
    """The account changed since the caller read it."""

    status_code = 412
    title = "The account has changed"


class TooManyAddresses(Conflict):
    """The account has as many addresses as it may."""

    def __init__(self) -> None:
        super().__init__("An account has 20 addresses at most. Delete one first.")


class DefaultAddressNeeded(Conflict):
    """One of an account's addresses is the default."""


class UnusableToken(Problem):
    """A token of a mail is unknown, used, expired, or for something else; which is not told."""

    status_code = 400
    title = "The token cannot be used"

    def __init__(self) -> None:
        super().__init__("It is unknown, used or expired. Ask for another mail.")


class WrongRegistrationPassword(Problem):
    """The password is not that of the registration whose mail has the token."""

    status_code = 403
    code = "wrong_password"
    title = "Wrong password"

    def __init__(self, *, tries_left: int) -> None:
        super().__init__(
            "The registration of this mail was sent with another password. "
            "If it was not yours, register anew.",
            members={"tries_left": tries_left},
        )


class EmailVerified(Conflict):
    """The account's address is verified already."""

    def __init__(self) -> None:
        super().__init__("The address is verified.")


class SameEmail(Conflict):
    """The new address is the account's already."""

    def __init__(self) -> None:
        super().__init__("The account has this address.")
