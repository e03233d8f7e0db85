"""What users has revoked, told over HTTP: whole at first, then what is new, and again after a
fault.
"""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from servicekit.auth import jwks, revocation_list, revocations, tokens
from servicekit.auth.revocation_list import Follower
from servicekit.models import RevokedSession
from servicekit.testing.client import Caller
from servicekit.testing.tokens import make_token
from servicekit.testing.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("test_keys")]
PATH = f"/{revocation_list.PATH}"


def listed(since: Any = 0) -> dict[str, Any]:
    answer = Caller().call("GET", f"{PATH}?since={since}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = json.loads(answer.content)
    return body


def revoke(session: UUID | None = None) -> UUID:
    """Revoke in a transaction of its own; return the subject."""
    subject = uuid7()
    revocations.revoke(session, subject, timezone.now())
    return subject


def subjects(answer: dict[str, Any]) -> set[UUID]:
    return {UUID(each["subject"]) for each in answer["revoked"]}


class Elsewhere:
    """An HTTP server that answers with what it was given, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                body = owner.answers.pop(0)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{PATH}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def users() -> Iterator[Elsewhere]:
    users = Elsewhere()
    yield users
    users.server.shutdown()
    users.server.server_close()


def horizon_past_all() -> int:
    """Return a horizon after which nothing is told again.

    Whatever transaction is open, in another database of the server too, keeps it back: of a test
    that runs beside this, or of autovacuum.
    """

    def found() -> int | None:
        horizon = listed()["horizon"]
        return None if listed(horizon)["revoked"] else int(horizon)

    return wait_until(found, timeout_seconds=60)


def test_list_is_whole_at_first_and_then_what_is_new() -> None:
    first = revoke()
    whole = listed()
    horizon = horizon_past_all()
    second = revoke(uuid7())

    assert subjects(whole) == {first}
    assert subjects(listed(whole["horizon"])) >= {second}
    assert subjects(listed(horizon)) == {second}
    assert listed(horizon_past_all())["revoked"] == []


def test_list_leaves_out_what_has_expired() -> None:
    revoke()
    RevokedSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert listed()["revoked"] == []


@pytest.mark.parametrize(
    "since", ["", "-1", "x", "1.0", str(2**63), "0" * 30, "9" * 5000, "%00", "%D9%A1"]
)
def test_horizon_that_is_none_is_refused(since: str) -> None:
    answer = Caller().call("GET", f"{PATH}?since={since}")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_list_needs_no_token_and_takes_no_other_method() -> None:
    assert Caller().call("GET", PATH, Authorization="Bearer x").status_code == 200
    assert Caller().call("POST", PATH, {}).status_code == 405


def test_what_is_listed_elsewhere_is_refused_here(users: Elsewhere) -> None:
    token = make_token(subject := uuid7(), sid=str(session := uuid7()))
    revocations.revoke(session, subject, timezone.now())
    users.answers = [json.dumps(listed()).encode()]
    RevokedSession.objects.all().delete()
    revocations.forget()
    assert not revocations.is_revoked(tokens.verified(token).claims)

    Follower(users.url).ask()

    revocations.forget()
    assert revocations.is_revoked(tokens.verified(token).claims)


def test_what_the_event_has_told_already_stays_one_row(users: Elsewhere) -> None:
    revoke(uuid7())
    revoke(None)
    users.answers = [json.dumps(listed()).encode()] * 2
    follower = Follower(users.url)

    follower.ask()
    follower.ask()

    assert RevokedSession.objects.count() == 2


def test_next_question_names_the_horizon_and_a_restored_database_is_read_whole(
    users: Elsewhere,
) -> None:
    users.answers = [
        json.dumps({"horizon": horizon, "revoked": []}).encode() for horizon in (900, 901, 5, 5, 6)
    ]
    follower = Follower(users.url)

    for _ in range(4):
        follower.ask()

    assert users.asked == [f"{PATH}?since={since}" for since in (0, 900, 901, 0, 5)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"horizon": -1, "revoked": []}',
        b'{"revoked": []}',
        b'{"horizon": 7, "revoked": [{"subject": "0190b7a1-0000-7000-8000-000000000001", "before":'
        b' "2026-01-01T00:00:00Z"}]}',
        b'{"horizon": 7, "revoked": [{"subject": "x", "session": null, "before":'
        b' "2026-01-01T00:00:00Z"}]}',
    ],
)
def test_answer_that_is_no_list_changes_nothing(users: Elsewhere, body: bytes) -> None:
    users.answers = [body, json.dumps({"horizon": 1, "revoked": []}).encode()]
    follower = Follower(users.url)

    with pytest.raises(ValidationError):
        follower.ask()
    follower.ask()

    assert not RevokedSession.objects.exists()
    assert users.asked[-1].endswith("?since=0")


def test_question_to_nobody_is_an_error_that_the_next_one_forgets(users: Elsewhere) -> None:
    with pytest.raises(jwks.requests.RequestException):
        Follower("http://127.0.0.1:1/").ask()


def test_many_are_kept_at_once(users: Elsewhere) -> None:
    revoked = [
        {"subject": str(uuid7()), "session": str(uuid7()), "before": timezone.now().isoformat()}
        for _ in range(5000)
    ]
    users.answers = [json.dumps({"horizon": 1, "revoked": revoked}).encode()]

    Follower(users.url).ask()

    assert RevokedSession.objects.count() == 5000
    assert connection.in_atomic_block is False
