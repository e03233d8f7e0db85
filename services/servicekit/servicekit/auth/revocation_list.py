"""The revocations of users as a list over HTTP, asked for every few seconds: it tells what no event
could while the broker is away.

The event is the fast way, the list the sure way (docs/adr/0073-revocations-are-asked-for-too.md).
Neither is in the way of a request.
"""

import logging
import re
import threading
import time
from typing import ClassVar
from urllib.parse import urljoin
from uuid import UUID

import orjson
from django.db import connection
from django.http import HttpResponse
from pydantic import BaseModel, Field
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from servicekit.auth import jwks, revocations
from servicekit.conf import kit_settings
from servicekit.http.viewsets import StrictAPIView
from servicekit.wire_types import MAX_BIG_INTEGER, EventTime

logger = logging.getLogger(__name__)

PATH = "internal/revocations/"
EVERY_SECONDS = 5.0
HORIZON = re.compile(r"\d{1,19}", re.ASCII)
#: A hundred log-outs a second, for as long as they are kept, are a quarter of it.
MAX_BODY_BYTES = 16 * 1024 * 1024


class Revoked(BaseModel):
    """One session that has ended; without a session, all that the subject began before."""

    subject: UUID
    session: UUID | None
    before: EventTime


class Answer(BaseModel):
    """What is new since the horizon that was asked for, and the horizon to ask for next
    (servicekit.auth.revocations).
    """

    horizon: int = Field(ge=0, le=MAX_BIG_INTEGER)
    revoked: list[Revoked]


class RevocationList(StrictAPIView):
    """What users answers to the other services; the gateway does not route it."""

    authentication_classes = ()
    permission_classes = ()
    schema = None
    query_parameters: ClassVar = {"GET": frozenset({"since"})}

    def get(self, request: Request) -> HttpResponse:
        """Answer with the sessions that were revoked since `?since=`, a horizon of an earlier
        answer; by default all.

        Raises:
            ValidationError: the horizon is no number.
        """
        since = request.query_params.get("since", "0")
        if not HORIZON.fullmatch(since) or int(since) > MAX_BIG_INTEGER:
            raise ValidationError({"since": ["This is no horizon of an earlier answer."]})
        horizon, rows = revocations.rows_since(int(since))
        revoked = [
            {"subject": subject, "session": session, "before": before}
            for subject, session, before, _ in rows
        ]
        body = orjson.dumps({"horizon": horizon, "revoked": revoked})
        return HttpResponse(body, content_type="application/json")


class Follower:
    """Takes over from the list at `url` what is new to it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._horizon = 0
        self._is_well = True

    def ask(self) -> None:
        """Ask once, and keep what was told.

        Raises:
            Exception: users or the database is away, or the answer is no list; the next call asks
                for the same again.
        """
        answer = self._fetch(self._horizon)
        if answer.horizon < self._horizon:
            # The ids of transactions have gone back: users' database was restored.
            answer = self._fetch(0)
        if answer.revoked:
            revocations.keep([(row.session, row.subject, row.before) for row in answer.revoked])
        self._horizon = answer.horizon

    def ask_again_and_again(self) -> None:
        """Ask every few seconds for as long as the process lives; what is away is logged once."""
        while True:
            try:
                self.ask()
                self._note(is_well=True)
            except Exception as error:  # whatever it is, the thread must ask again
                self._note(is_well=False, reason=f"{type(error).__name__}: {error}"[:300])
            connection.close()
            time.sleep(EVERY_SECONDS)

    def _fetch(self, since: int) -> Answer:
        url = f"{self._url}?since={since}"
        body = jwks.fetch_over_http(url, max_bytes=MAX_BODY_BYTES, part_bytes=65_536)
        return Answer.model_validate_json(body)

    def _note(self, *, is_well: bool, reason: str = "") -> None:
        if is_well is not self._is_well:
            level = logging.INFO if is_well else logging.WARNING
            logger.log(
                level,
                "revocations are %s",
                "read again" if is_well else "not read",
                extra={"reason": reason},
            )
        self._is_well = is_well


def follow_in_background() -> None:
    """Follow the list of the users service that the setting `jwks_url` names; in users itself,
    which has none, do nothing.
    """
    keys = kit_settings.jwks_url
    if keys and not kit_settings.token_keys:
        follower = Follower(urljoin(keys, f"/{PATH}"))
        threading.Thread(
            target=follower.ask_again_and_again, name="revocations", daemon=True
        ).start()
