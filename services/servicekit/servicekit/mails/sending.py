"""Sends the mails that were written (writing.py).

**At most once.** A mail is claimed, and that is committed, before it is sent: a worker that dies
between the two, or a connection that breaks before the server's answer, sends no second mail. A
server that is away or refuses loses nothing: the connection is opened before anything is claimed,
and what was refused is given back. Claimed rows hold no secret and no address: the claim takes them
out, and only this process has them until they are sent or given back.
"""

import json
import logging
import time
from dataclasses import dataclass
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection

from servicekit.mails.rendering import render

logger = logging.getLogger(__name__)

#: What was refused is tried again after 30 s, a minute, and so on up to an hour.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 30, 3600
#: A server that is away is asked again after 5 s, 10 s, and so on up to a minute.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 60.0
IS_DUE = (
    "claimed_at IS NULL AND due_at <= statement_timestamp() AND expires_at > statement_timestamp()"
)
ANY_DUE = f"SELECT EXISTS (SELECT FROM mail WHERE {IS_DUE})"  # noqa: S608 - our own
# Two workers never claim the same mail. RETURNING has what the row held before.
CLAIM = f"""
    WITH due AS (
        SELECT id, recipient, context FROM mail WHERE {IS_DUE}
        ORDER BY due_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE mail SET claimed_at = statement_timestamp(), tries = tries + 1, recipient = '',
        context = '{{}}'
    FROM due WHERE mail.id = due.id
    RETURNING mail.id, mail.kind, mail.language, due.recipient, due.context::text, mail.tries
"""  # noqa: S608 - our own
GIVE_BACK = """
    UPDATE mail SET claimed_at = NULL, recipient = %s, context = %s::jsonb,
        due_at = statement_timestamp() + %s * interval '1 second'
    WHERE id = %s
"""
SENT = "UPDATE mail SET sent_at = statement_timestamp() WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that nobody else sends, with what its row held."""

    id: int
    kind: str
    language: str
    recipient: str
    context: str
    tries: int


class Pause:
    """How long this process leaves a server alone that was away."""

    def __init__(self) -> None:
        self.seconds = self._until = 0.0

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def lengthen(self) -> None:
        self.seconds = min(max(2 * self.seconds, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._until = time.monotonic() + self.seconds

    def end(self) -> None:
        self.seconds = self._until = 0.0


pause = Pause()


def send_waiting(*, seconds: float) -> int:
    """Send the mails that are due, for `seconds` at most; return how many.

    Call it outside of transactions: a claim must be committed before its mail is sent.
    """
    if pause.lasts() or not _is_any_due():
        return 0
    try:
        with mail.get_connection() as server:
            pause.end()
            return _send_claimed(server, until=time.monotonic() + seconds)
    except OSError as error:
        pause.lengthen()
        # Not what the server said: it may quote an address.
        away = {"error": type(error).__name__, "pause_seconds": pause.seconds}
        logger.warning("mail server is away", extra=away)
        return 0


def _send_claimed(server: BaseEmailBackend, *, until: float) -> int:
    """Claim and send a mail after the other; after a failure the next run goes on."""
    sent = 0
    while time.monotonic() < until:
        claimed = _claim()
        if claimed is None or not _send(claimed, server):
            break
        sent += 1
    return sent


def _is_any_due() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ANY_DUE)
        return bool(cursor.fetchone()[0])


def _claim() -> Claimed | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM)
        row = cursor.fetchone()
    return Claimed(*row) if row else None


def _send(claimed: Claimed, server: BaseEmailBackend) -> bool:
    """Send a mail; return whether the server took it."""
    about: dict[str, Any] = {"mail": claimed.id, "kind": claimed.kind, "tries": claimed.tries}
    try:
        message = render(
            kind=claimed.kind,
            language=claimed.language,
            recipient=claimed.recipient,
            context=json.loads(claimed.context),
        )
        message.connection = server
        message.send()
    except (SMTPResponseException, SMTPRecipientsRefused) as error:
        _settle_refusal(claimed, error, about)
        return False
    except OSError as error:
        # It may have been taken: to send it again could mail twice.
        logger.error("mail may be lost", extra={**about, "error": type(error).__name__})  # noqa: TRY400 - no traceback: it may quote an address
        return False
    except Exception:
        _give_back(claimed)
        logger.exception("mail cannot be written", extra=about)
        return False
    with connection.cursor() as cursor:
        cursor.execute(SENT, [claimed.id])
    return True


def _settle_refusal(
    claimed: Claimed,
    error: SMTPResponseException | SMTPRecipientsRefused,
    about: dict[str, Any],
) -> None:
    """Give the mail back, unless there is no such recipient."""
    if isinstance(error, SMTPRecipientsRefused):
        code = max(code for code, _ in error.recipients.values())
        is_final = code >= 500
    else:
        code, is_final = error.smtp_code, False
    logger.warning("mail is refused", extra={**about, "code": code, "is_final": is_final})
    if not is_final:
        _give_back(claimed)


def _give_back(claimed: Claimed) -> None:
    wait = min(FIRST_WAIT_SECONDS * 2 ** min(claimed.tries - 1, 10), LONGEST_WAIT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, [claimed.recipient, claimed.context, wait, claimed.id])
