"""The last mails, in memory and bounded: the oldest go."""

import itertools
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

#: Of one mail, and of all together.
MAX_MAIL_BYTES = 1024 * 1024
MAX_BYTES = 16 * MAX_MAIL_BYTES
MAX_MAILS = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was received; `recipients` are those of the envelope."""

    id: int
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    size: int
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Store:
    """What was received and not yet pushed out; safe for threads."""

    def __init__(self) -> None:
        self._mails: deque[Mail] = deque()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._bytes = 0

    def add(self, *, sender: str, recipients: list[str], content: bytes) -> Mail:
        """Keep a mail, and drop the oldest where that is too much."""
        subject, text, html = _read(content)
        with self._lock:
            mail = Mail(
                next(self._numbers), sender, tuple(recipients), subject, text, html, len(content)
            )
            self._mails.append(mail)
            self._bytes += mail.size
            while len(self._mails) > MAX_MAILS or self._bytes > MAX_BYTES:
                self._bytes -= self._mails.popleft().size
        return mail

    def newest_first(self, recipient: str = "") -> list[Mail]:
        """Return all mails, or those to an address, whatever the case of its letters."""
        wanted = recipient.lower()
        with self._lock:
            found = list(reversed(self._mails))
        return [
            mail
            for mail in found
            if not wanted or wanted in {address.lower() for address in mail.recipients}
        ]

    def get(self, number: int) -> Mail | None:
        """Return a mail by its id."""
        with self._lock:
            return next((mail for mail in self._mails if mail.id == number), None)

    def clear(self) -> None:
        """Forget all mails."""
        with self._lock:
            self._mails.clear()
            self._bytes = 0


def _read(content: bytes) -> tuple[str, str, str]:
    """Return subject, plain text and HTML of a mail."""
    message = message_from_bytes(content, policy=policy.default)
    try:
        return str(message["Subject"] or ""), _part(message, "plain"), _part(message, "html")
    except (LookupError, ValueError, AttributeError, TypeError):
        # Whatever a mail's headers claim: it is shown as it came.
        return "(unreadable)", content.decode(errors="replace"), ""


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
