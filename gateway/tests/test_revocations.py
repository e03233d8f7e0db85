"""Sessions that ended are refused at the edge, too: users is asked for them again and again."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness.client import Response, assert_problem
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import REVOCATIONS as LIST
from harness.upstream import Answer, Upstream
from uuid_utils.compat import uuid7

from servicekit.testing.tokens import Signer

#: What users promises its clients, from the answer that ended a session.
REFUSED_SECONDS = 5
StartGateway = Callable[..., Gateway]


def revoked(*, session: str | None, subject: str | None = None, before: str = "") -> dict[str, Any]:
    return {
        "subject": subject or str(uuid.uuid4()),
        "session": session,
        "before": before or datetime.now(UTC).isoformat(),
    }


def tell(users: Upstream, horizon: int, *rows: dict[str, Any]) -> None:
    """Let users answer with these rows whatever it is asked since."""
    body = json.dumps({"horizon": horizon, "revoked": rows}).encode()
    users.answers[LIST] = Answer(body=body)


def asked_since(users: Upstream) -> list[int]:
    return [int(seen.path.partition("since=")[2]) for seen in users.requests_for(LIST)]


def await_refusal(gateway: Gateway, token: str) -> Response:
    def refused() -> Response | None:
        answer = gateway.get("/api/orders/", token)
        return answer if answer.status == 401 else None

    found: Response = wait_until(refused, "the session to be refused", REFUSED_SECONDS)
    return found


def await_questions(gateway: Gateway, users: Upstream, token: str, *, number: int = 2) -> set[int]:
    """Ask until users was asked again, by default twice: then its first answer was taken over.

    Return the statuses of what was asked meanwhile.
    """
    before, statuses = len(users.requests_for(LIST)), set()

    def asked() -> bool:
        statuses.add(gateway.get("/api/orders/", token).status)
        return len(users.requests_for(LIST)) >= before + number

    wait_until(asked, "users to be asked again")
    return statuses


@pytest.fixture(autouse=True)
def nobody_revoked(own_services: Services) -> None:
    tell(own_services.users, 5)


def test_revoked_session_is_refused_in_time_though_its_verdict_is_kept(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, session = own_gateway(), str(uuid7())
    ended, renewed = signer.token(sid=session), signer.token(sid=session)
    other = signer.token()
    for token in (ended, other):
        assert gateway.get("/api/orders/", token).status == 200

    tell(own_services.users, 6, revoked(session=session))

    refused = await_refusal(gateway, ended)
    assert_problem(refused, 401, "invalid_token")
    assert refused.json["detail"] == "The session has ended."
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    seen = len(own_services.orders.seen)
    assert {gateway.get("/api/orders/", token).status for token in (ended, renewed)} == {401}
    assert len(own_services.orders.seen) == seen
    assert gateway.get("/api/orders/", other).status == 200


def test_session_that_was_revoked_in_quiet_times_is_refused_at_once(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, session = own_gateway(), str(uuid7())
    token = signer.token(sid=session)
    assert gateway.get("/api/orders/", token).status == 200
    tell(own_services.users, 6, revoked(session=session))
    asked = time.monotonic()

    wait_until(lambda: time.monotonic() > asked + 4, "a quiet time")

    assert gateway.get("/api/orders/", token).status == 401


@pytest.mark.parametrize("spelling", ["+00:00", "Z"])
def test_all_sessions_of_an_account_that_began_before_are_refused(
    own_gateway: StartGateway, own_services: Services, signer: Signer, spelling: str
) -> None:
    gateway, subject = own_gateway(), str(uuid.uuid4())
    before = signer.token(sub=subject, sid=str(uuid7()))
    # An id that is no UUIDv7 says no time; then the token's own counts.
    older = signer.token(sub=subject, sid=str(uuid.uuid4()), iat=int(time.time()) - 9)
    moment = datetime.now(UTC) + timedelta(milliseconds=2)
    other = signer.token(sid=str(uuid7()))
    assert gateway.get("/api/orders/", before).status == 200

    text = moment.isoformat(timespec="microseconds").replace("+00:00", spelling)
    tell(own_services.users, 6, revoked(session=None, subject=subject, before=text))

    await_refusal(gateway, before)
    wait_until(lambda: datetime.now(UTC) > moment, "the next millisecond")
    after = signer.token(sub=subject, sid=str(uuid7()))
    assert gateway.get("/api/orders/", older).status == 401
    for token in (after, after, other):
        assert gateway.get("/api/orders/", token).status == 200


def test_later_moment_of_an_account_counts_in_whatever_order_they_come(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, subject = own_gateway(), str(uuid.uuid4())
    token = signer.token(sub=subject, sid=str(uuid7()))
    late, early = datetime.now(UTC).isoformat(), "2020-01-01T00:00:00+00:00"

    tell(
        own_services.users,
        6,
        revoked(session=None, subject=subject, before=late),
        revoked(session=None, subject=subject, before=early),
    )

    await_refusal(gateway, token)


def test_users_is_asked_for_what_is_new_and_about_once_a_second(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, token = own_gateway(), signer.token()
    began = time.monotonic()
    for horizon in (5, 8, 9):
        tell(own_services.users, horizon, revoked(session=str(uuid7())))
        await_questions(gateway, own_services.users, token)

    seconds = time.monotonic() - began

    since = asked_since(own_services.users)
    assert since[0] == 0
    assert since == sorted(since)
    assert {0, 5, 8} <= set(since)
    assert len(since) <= seconds + 2


def test_horizon_is_kept_until_there_is_something_new(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, token = own_gateway(), signer.token()
    tell(own_services.users, 900, revoked(session=str(uuid7())))
    await_questions(gateway, own_services.users, token)

    tell(own_services.users, 950)
    await_questions(gateway, own_services.users, token, number=3)

    assert asked_since(own_services.users)[-2:] == [900, 900]


def test_list_is_asked_for_as_a_whole_when_the_horizon_goes_back(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, token = own_gateway(), signer.token()
    tell(own_services.users, 900, revoked(session=str(uuid7())))
    await_questions(gateway, own_services.users, token)

    # Users starts with an empty database.
    tell(own_services.users, 7)
    await_questions(gateway, own_services.users, token)

    since = asked_since(own_services.users)
    assert 0 in since[since.index(900) :]
    assert gateway.get("/api/orders/", token).status == 200


@pytest.mark.parametrize("keeps_run_dir", [True, False])
def test_revoked_session_is_refused_after_a_restart_of_the_gateway_while_users_is_away(
    own_gateway: StartGateway,
    own_services: Services,
    signer: Signer,
    keeps_run_dir: bool,
    tmp_path: Any,
) -> None:
    """In a container RUN_DIR is memory; the two folders of a volume outlive a restart."""
    gateway = own_gateway(KEYS_DIR=str(tmp_path / "keys"), REVOKED_DIR=str(tmp_path / "revoked"))
    session = str(uuid7())
    ended, good = signer.token(sid=session), signer.token()
    tell(own_services.users, 6, revoked(session=session))
    await_refusal(gateway, ended)

    own_services.users.stop()
    if keeps_run_dir:
        gateway.kill_master()
    else:
        gateway.stop_nginx()
        gateway.clear()
    gateway.start()

    assert gateway.get("/api/orders/", ended).status == 401
    assert gateway.get("/api/orders/", good).status == 200


@pytest.mark.parametrize("folder", ["revoked", "revoked/marks", "revoked/horizon", "asked"])
def test_gateway_whose_folder_was_deleted_hears_of_ended_sessions_again(
    own_gateway: StartGateway, own_services: Services, signer: Signer, folder: str
) -> None:
    """As whoever tidies up temporary folders does."""
    gateway, sessions = own_gateway(), [str(uuid7()), str(uuid7())]
    before, after = (signer.token(sid=session) for session in sessions)
    tell(own_services.users, 6, revoked(session=sessions[0]))
    await_refusal(gateway, before)

    shutil.rmtree(gateway.directory / folder)
    rows = [revoked(session=session) for session in sessions]
    tell(own_services.users, 7, *rows)

    for token in (before, after):
        await_refusal(gateway, token)


def test_session_that_ended_during_a_restart_is_refused_by_the_first_answer(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, session = own_gateway(), str(uuid7())
    token = signer.token(sid=session)
    assert gateway.get("/api/orders/", token).status == 200
    gateway.stop_nginx()
    tell(own_services.users, 6, revoked(session=session))
    stopped = time.monotonic()
    wait_until(lambda: time.monotonic() > stopped + 3, "the time of a restart")

    gateway.start()

    assert gateway.get("/api/orders/", token).status == 401


def test_fresh_gateway_knows_what_was_revoked_before_its_first_answer(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    session = str(uuid7())
    tell(own_services.users, 6, revoked(session=session))

    gateway = own_gateway()

    assert gateway.get("/api/orders/", signer.token(sid=session)).status == 401
    assert gateway.get("/api/orders/", signer.token()).status == 200


def test_valid_token_passes_while_the_list_cannot_be_had(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    own_services.users.answers[LIST] = Answer(503, b"{}")

    gateway, token = own_gateway(), signer.token()

    assert await_questions(gateway, own_services.users, token) == {200}
    assert gateway.errors().count("\n") < 20


def test_revoked_session_stays_refused_while_users_is_away(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, session = own_gateway(), str(uuid7())
    ended, good = signer.token(sid=session), signer.token()
    tell(own_services.users, 6, revoked(session=session))
    await_refusal(gateway, ended)

    own_services.users.stop()

    began = time.monotonic()
    statuses: set[tuple[int, int]] = set()

    def asked_for_a_while() -> bool:
        statuses.add(
            (gateway.get("/api/orders/", ended).status, gateway.get("/api/orders/", good).status)
        )
        return time.monotonic() > began + 5

    wait_until(asked_for_a_while, "some seconds without users")
    assert statuses == {(401, 200)}


def test_session_that_ended_before_an_outage_of_users_is_refused_after_it(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, session = own_gateway(), str(uuid7())
    token = signer.token(sid=session)
    assert gateway.get("/api/orders/", token).status == 200
    own_services.users.stop()
    assert gateway.get("/api/orders/", token).status == 200
    tell(own_services.users, 6, revoked(session=session))

    own_services.users.start()

    await_refusal(gateway, token)


def row_with(**members: Any) -> bytes:
    row = {**revoked(session=str(uuid7())), **members}
    return json.dumps({"horizon": 6, "revoked": [row]}).encode()


GARBAGE = {
    "html": b"<html>maintenance</html>",
    "empty": b"",
    "null": b"null",
    "no list": b'{"horizon": 6}',
    "horizon is text": b'{"horizon": "6", "revoked": []}',
    "row is null": b'{"horizon": 6, "revoked": [null]}',
    "session is a path": row_with(session="../../../../../../../../tmp/souk-a-file"),
    "subject is missing": row_with(subject=None),
    "moment is missing": row_with(before=None),
    "moment of another zone": row_with(before="2026-01-01T00:00:00+05:00"),
    "broken off": row_with()[:-9],
    "17 MiB": b'{"horizon": 6, "revoked": [' + b" " * (17 * 1024 * 1024) + b"]}",
}


def test_garbage_instead_of_the_list_changes_nothing(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, ended, coming = own_gateway(), str(uuid7()), str(uuid7())
    tell(own_services.users, 6, revoked(session=ended))
    await_refusal(gateway, signer.token(sid=ended))

    for name, garbage in GARBAGE.items():
        own_services.users.answers[LIST] = Answer(body=garbage)
        statuses = await_questions(gateway, own_services.users, signer.token(), number=1)
        assert statuses == {200}, name
    await_questions(gateway, own_services.users, signer.token())

    assert marks(gateway) == {ended}
    assert set(asked_since(own_services.users)[-len(GARBAGE) :]) == {6}
    # nginx itself says that a list is too long.
    assert gateway.errors().count("\n") < 20
    tell(own_services.users, 7, revoked(session=coming))
    await_refusal(gateway, signer.token(sid=coming))
    assert marks(gateway) == {ended, coming}


def marks(gateway: Gateway) -> set[str]:
    return {path.name for path in (gateway.directory / "revoked" / "marks").iterdir()}


def test_long_list_is_taken_over_as_a_whole(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    sessions = [str(uuid7()) for _ in range(80)]
    tell(own_services.users, 6, *[revoked(session=session) for session in sessions])

    gateway = own_gateway()

    for session in (sessions[0], sessions[-1]):
        await_refusal(gateway, signer.token(sid=session))
    wait_until(lambda: marks(gateway) == set(sessions), "all of them")


def test_file_of_a_session_goes_when_its_last_token_has_expired(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway, old, recent, new = own_gateway(), str(uuid7()), str(uuid7()), str(uuid7())
    tell(own_services.users, 6, revoked(session=old), revoked(session=recent))
    await_refusal(gateway, signer.token(sid=old))
    for session, age_seconds in ((old, 311), (recent, 290)):
        changed = time.time() - age_seconds
        os.utime(gateway.directory / "revoked" / "marks" / session, (changed, changed))

    tell(own_services.users, 7, revoked(session=new))
    await_refusal(gateway, signer.token(sid=new))

    wait_until(lambda: marks(gateway) == {recent, new}, "the old file to go")


def test_list_is_not_for_clients(gateway: Gateway, services: Services) -> None:
    for path in ("/internal/revocations/", "/revocations/told", "/tell", "/again"):
        assert_problem(gateway.get(path), 404)
    assert services.seen() == 0
