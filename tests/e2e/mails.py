"""Reads the mails that the shop has sent, from its mail sink."""

import re
from dataclasses import dataclass

import httpx
from harness import wait_until

TOKEN = re.compile(r"^[\w-]{43}$", re.MULTILINE)


@dataclass
class Mail:
    """A mail to one address."""

    subject: str
    text: str

    @property
    def token(self) -> str:
        (found,) = TOKEN.findall(self.text)
        return str(found)


class MailSink:
    """The sink's API."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=20.0, trust_env=False)

    def subjects(self, recipient: str) -> list[str]:
        """Return the subjects of what somebody has got, newest first."""
        return [mail["subject"] for mail in self._listed(recipient)]

    def awaited(self, recipient: str, subject: str, *, count: int = 1) -> Mail:
        """Return the newest mail with that subject as soon as `count` of them have come."""

        def come() -> list[dict[str, object]]:
            found = [mail for mail in self._listed(recipient) if mail["subject"] == subject]
            return found if len(found) >= count else []

        newest = wait_until(come, seconds=40, what=f"{count} mails {subject!r} to {recipient}")[0]
        shown = self.http.get(f"/api/mails/{newest['id']}/").raise_for_status().json()
        return Mail(shown["subject"], shown["text"])

    def _listed(self, recipient: str) -> list[dict[str, object]]:
        answer = self.http.get("/api/mails/", params={"recipient": recipient})
        found: list[dict[str, object]] = answer.raise_for_status().json()["mails"]
        return found
