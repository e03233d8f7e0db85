"""One spelling per mailbox, decided once, and no look-alikes folded together.

The rule: blanks around it are a slip of typing and dropped, inside there are none; the domain in lower case, which DNS
ignores; the local part in lower case too, since no provider of note tells case apart. Only ASCII is accepted: Unicode case folding
maps different addresses onto one (CVE-2019-19844). Dots and plus parts are kept: they are the owner's business.
"""

import re

ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
MAX_LENGTH = 254


class InvalidEmail(ValueError):
    """It is no address that we can send to."""


def normalise(address: str) -> str:
    """Return the one spelling under which an address is stored and looked up.

    Raises:
        InvalidEmail: it is not ASCII, too long, or not of the form local@domain.
    """
    trimmed = address.strip()
    lowered = trimmed.lower() if trimmed.isascii() else ""
    local = lowered.partition("@")[0]
    if (
        len(lowered) > MAX_LENGTH
        or not ADDRESS.fullmatch(lowered)
        or ".." in local
        or local[:1] == "."
        or local[-1:] == "."
    ):
        raise InvalidEmail("Use an address like name@example.org, in ASCII.")
    return lowered
