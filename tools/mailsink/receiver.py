"""Takes mails by SMTP, for any address."""

from typing import Any

from aiosmtpd.controller import Controller

from mailsink.store import MAX_MAIL_BYTES, Store


class Receiver:
    """aiosmtpd's handler: keeps what comes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep the mail."""
        self._store.add(
            sender=envelope.mail_from or "",
            recipients=envelope.rcpt_tos,
            content=envelope.original_content or b"",
        )
        return "250 OK"


def start(store: Store, host: str, port: int) -> Controller:
    """Begin to receive, in a thread of its own."""
    controller = Controller(
        Receiver(store), hostname=host, port=port, data_size_limit=MAX_MAIL_BYTES
    )
    controller.start()
    return controller
