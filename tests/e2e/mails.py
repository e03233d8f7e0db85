"""Reads the mails that the shop has sent, from its mail sink."""

import re
import uuid
from dataclasses import dataclass

import httpx
from harness import PASSWORD, Person, Shop, wait_until

REGISTER, CONFIRM = "/api/users/", "/api/users/registration/"
OPEN = "Open your account"
ASK_EMAIL, CHANGE = "/api/users/me/email/", "/api/users/email/"
ASK_RESET, RESET = "/api/users/password-reset/", "/api/users/password-reset/confirm/"
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


def new_address() -> str:
    return f"{uuid.uuid4()}@e2e.example"


def spend(shop: Shop, path: str, token: str, **more: str) -> None:
    """Send back the token of a mail."""
    answer = shop.call("POST", path, json={"token": token, **more})
    assert answer.status_code == 204, answer.text


def sign_up(shop: Shop, sink: MailSink, email: str) -> Person:
    """Register, open the account with the token of the mail that comes, and log in."""
    credentials = {"email": email, "password": PASSWORD}
    assert shop.call("POST", REGISTER, json=credentials).status_code == 202
    opened = {"token": sink.awaited(email, OPEN).token, "password": PASSWORD}
    answer = shop.call("POST", CONFIRM, json=opened)
    assert answer.status_code == 201, answer.text
    return shop.log_in(email, PASSWORD)


def change_email(shop: Shop, sink: MailSink, person: Person, email: str) -> None:
    """Change the address of an account: the new one confirms, the old one is told twice."""
    body = {"new_email": email, "current_password": person.password}
    answer = shop.call("POST", ASK_EMAIL, person, json=body)
    assert answer.status_code == 202, answer.text
    sink.awaited(person.email, "A new address was asked for")
    spend(shop, CHANGE, sink.awaited(email, "Confirm your new address").token)
    sink.awaited(person.email, "Your address has changed")
    person.email = email


def reset_password(shop: Shop, sink: MailSink, person: Person, password: str) -> None:
    """Set a new password by mail; the account is told."""
    assert shop.call("POST", ASK_RESET, json={"email": person.email}).status_code == 202
    token = sink.awaited(person.email, "Set a new password").token
    spend(shop, RESET, token, new_password=password)
    sink.awaited(person.email, "Your password has changed")
    person.password = password
