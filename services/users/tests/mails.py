"""Mails of users as their readers get them: by a real mail server."""

import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from servicekit import tasks as kit_tasks
from servicekit.mails import sending
from servicekit.testing.client import Caller
from servicekit.testing.mailbox import Mailbox, free_port, serving, text_of, use_server
from tests.factories import PASSWORD
from users import tasks
from users.models import Account, MailToken, Session
from users.services import sessions

TOKEN = re.compile(r"^[\w-]{43}$", re.MULTILINE)
NEW_PASSWORD = "another good one"
#: Calls that spend a token.
VERIFY, CHANGE, RESET = (
    "/api/users/verification/",
    "/api/users/email/",
    "/api/users/password-reset/confirm/",
)
ASK_RESET, ASK_EMAIL, ASK_VERIFICATION = (
    "/api/users/password-reset/",
    "/api/users/me/email/",
    "/api/users/me/verification/",
)


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    port = free_port()
    use_server(settings, port)
    sending.pause.end()
    with serving(Mailbox(), port) as box:
        yield box


def do_jobs() -> None:
    """Do what the worker does every few seconds."""
    tasks.answer_mail_requests()
    kit_tasks.send_mails()


def mails_to(mailbox: Mailbox, address: str) -> list[EmailMessage]:
    """Return the mails that an address has got by now, oldest first."""
    do_jobs()
    return mailbox.to(address)


def subjects_to(mailbox: Mailbox, address: str) -> list[str]:
    return [str(message["Subject"]) for message in mails_to(mailbox, address)]


def token_of(message: EmailMessage) -> str:
    """Return the token that a mail tells its reader."""
    (token,) = TOKEN.findall(text_of(message))
    return str(token)


def log_in(email: str, password: str = PASSWORD) -> str:
    """Begin a session; return the header that tells it."""
    tokens = sessions.log_in(email=email, password=password)
    return f"Bearer {tokens['access_token']}"


def ask_for_reset(email: str) -> None:
    answer = Caller().post(ASK_RESET, {"email": email})
    assert (answer.status_code, answer.content) == (202, b"")


def reset(token: str, password: str = NEW_PASSWORD) -> Any:
    return Caller().post(RESET, {"token": token, "new_password": password})


def ask_for_email(header: str, new: str, password: str = PASSWORD) -> Any:
    body = {"new_email": new, "current_password": password}
    return Caller().post(ASK_EMAIL, body, Authorization=header)


def spend(path: str, token: str) -> Any:
    return Caller().post(path, {"token": token})


def state() -> list[object]:
    """What a refusal leaves as it is."""
    columns = ("id", "email", "email_verified", "password", "version")
    return [
        list(Account.objects.order_by("id").values_list(*columns)),
        list(Session.objects.order_by("id").values_list("id", "ended_at")),
        list(MailToken.objects.order_by("id").values_list("id", "digest")),
    ]


def refusal_changes_nothing(refused: Callable[[], Any]) -> Any:
    """Return what `refused` returns, after a look at what it left."""
    before = state()
    answer = refused()
    assert state() == before
    return answer
