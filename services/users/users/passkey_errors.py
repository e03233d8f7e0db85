"""What users refuses about passkeys, as the API answers it."""

from servicekit.http.problems import Conflict, Problem


class WrongLogInPasskey(Problem):
    """No passkey of the account has signed the challenge of a log-in, or did so before."""

    status_code = 401
    code = "wrong_passkey"
    title = "Wrong passkey"
    auth_header = 'Bearer realm="souk"'

    def __init__(self, *, tries_left: int | None = None) -> None:
        super().__init__(
            "It does not answer the challenge. Begin again.",
            members={} if tries_left is None else {"tries_left": tries_left},
        )


class WrongPasskey(Problem):
    """No passkey of the account has signed the challenge, or did so before."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("It does not answer the challenge. Ask for another.")


class SecondFactorProofMissing(Problem):
    """The account has a second factor, and the password alone came."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("Send a code or a passkey beside the password.")


class UnusablePasskey(Problem):
    """A new passkey was made for another challenge, page or account, or cannot be read."""

    title = "The passkey cannot be used"

    def __init__(self) -> None:
        super().__init__("It does not answer the challenge, which is good for 5 minutes and once.")


class PasskeyKnown(Conflict):
    """The passkey is registered, with this account or another."""

    def __init__(self) -> None:
        super().__init__("This passkey is registered. Make another.")


class TooManyPasskeys(Conflict):
    """The account has as many passkeys as it may."""

    def __init__(self) -> None:
        super().__init__("An account has 10 passkeys at most. Remove one first.")
