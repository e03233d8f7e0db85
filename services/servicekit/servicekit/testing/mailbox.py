"""A real mail server for tests, which keeps what it takes or does as it is told."""

import asyncio
import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default as policy
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """The server's handler.

    `refusal` is answered to every mail, `unknown` are recipients that do not exist, and with
    `hangs_up` the connection breaks after a mail was taken and before that is answered.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refusal = ""
        self.unknown: set[str] = set()
        self.hangs_up = False

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.unknown:
            return f"550 <{address}> does not exist"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if self.refusal:
            return self.refusal
        message = email.message_from_bytes(envelope.content, policy=policy)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        if self.hangs_up:
            server.transport.abort()
            await asyncio.sleep(0)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails to an address, oldest first."""
        return [message for message in self.messages if message["To"] == address]


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(mailbox: Mailbox, port: int) -> Iterator[Mailbox]:
    """Let the mailbox listen on a port."""
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield mailbox
    finally:
        server.stop()


def use_server(settings: Any, port: int) -> None:
    """Let Django send by the server on that port."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def html_of(message: EmailMessage) -> str:
    """Return the HTML of a mail."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())
