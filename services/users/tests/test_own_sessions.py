"""Where people are logged in: list, end one, end all."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import make_account
from tests.people import ME, REFRESH, SESSIONS, Person
from users.models import LoginAttempt, Session

REVOKED = "users.user_sessions_revoked.v1"


@pytest.mark.django_db
def test_sessions_tell_device_network_and_which_asks(ring: None) -> None:
    phone = Person(device="Souk/2.1 (Android)", address="203.0.113.77")
    laptop = Person(phone.account, device="Firefox/128", address="2001:db8:77:1::5")

    answer = laptop.get(SESSIONS)

    newest, oldest = decoded(answer)["results"]
    assert (newest["device"], newest["network"], newest["current"]) == (
        "Firefox/128",
        "2001:db8:77::/48",
        True,
    )
    assert (oldest["device"], oldest["network"], oldest["current"]) == (
        "Souk/2.1 (Android)",
        "203.0.113.0/24",
        False,
    )
    assert answer["Cache-Control"] == "no-store"
    assert [each["current"] for each in decoded(phone.get(SESSIONS))["results"]] == [False, True]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("device", "shown"),
    [("x" * 500, "x" * 200), ("", ""), ("a\x85b<script>", "ab<script>")],
    ids=["long", "none", "controls"],
)
def test_device_is_bounded_text(ring: None, device: str, shown: str) -> None:
    person = Person(device=device)

    assert decoded(person.get(SESSIONS))["results"][0]["device"] == shown


@pytest.mark.django_db
def test_last_use_is_the_last_refresh(ring: None) -> None:
    person = Person()
    before = decoded(person.get(SESSIONS))["results"][0]
    decoded(person.get(ME))
    assert decoded(person.get(SESSIONS))["results"][0] == before

    person.refresh()

    after = decoded(person.get(SESSIONS))["results"][0]
    assert after["last_used_at"] > before["last_used_at"]
    assert {**after, "last_used_at": ""} == {**before, "last_used_at": ""}


@pytest.mark.django_db
def test_one_session_is_revoked_and_refused_at_once(ring: None) -> None:
    here = Person()
    there = Person(here.account, device="Phone")
    listed = decoded(here.get(SESSIONS))["results"]
    (other,) = [each for each in listed if not each["current"]]

    assert here.delete(f"{SESSIONS}{other['id']}/").status_code == 204

    problem(there.get(ME), 401, "invalid_token")
    problem(there.refresh(), 401)
    assert [each["current"] for each in decoded(here.get(SESSIONS))["results"]] == [True]
    (event,) = outbox_events(REVOKED)
    assert event["data"]["session_id"] == other["id"]
    problem(here.delete(f"{SESSIONS}{other['id']}/"), 404)
    assert len(outbox_events(REVOKED)) == 1


@pytest.mark.django_db
def test_own_session_may_be_revoked(ring: None) -> None:
    person = Person()
    (own,) = decoded(person.get(SESSIONS))["results"]

    assert person.delete(f"{SESSIONS}{own['id']}/").status_code == 204

    problem(person.get(ME), 401)


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "is_kept"), [({}, False), (None, False),
    ({"except_current": False}, False), ({"except_current": True}, True)])  # fmt: skip
def test_log_out_everywhere(ring: None, body: object, is_kept: bool) -> None:
    here = Person()
    there = Person(here.account, device="Phone")
    stranger = Person()

    assert here.post(SESSIONS + "revoke-all/", body).status_code == 204

    problem(there.get(ME), 401, "invalid_token")
    problem(there.refresh(), 401)
    assert (here.get(ME).status_code == 200) is is_kept
    decoded(stranger.get(ME))
    assert len(outbox_events(REVOKED)) == (1 if is_kept else 2)


@pytest.mark.django_db
def test_ended_and_expired_sessions_are_not_listed_and_not_revoked(ring: None) -> None:
    person = Person()
    for expires_in, ended_at in ((-1, None), (1, timezone.now())):
        Session.objects.create(
            account=person.account,
            expires_at=timezone.now() + timedelta(hours=expires_in),
            ended_at=ended_at,
        )
    before = outbox_events()

    (own,) = decoded(person.get(SESSIONS))["results"]

    for session in Session.objects.exclude(pk=own["id"]):
        problem(person.delete(f"{SESSIONS}{session.pk}/"), 404)
    assert outbox_events() == before


@pytest.mark.django_db
def test_session_of_somebody_else_is_404_and_lives_u10(ring: None) -> None:
    ada, bob, staff = Person(), Person(), Person(make_account(is_staff=True))
    (session,) = decoded(bob.get(SESSIONS))["results"]

    problem(ada.delete(f"{SESSIONS}{session['id']}/"), 404)
    problem(staff.delete(f"{SESSIONS}{session['id']}/"), 404)
    problem(Caller().delete(f"{SESSIONS}{session['id']}/"), 401)
    problem(ada.get(f"{SESSIONS}{session['id']}/"), 405)

    decoded(bob.get(ME))
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {"except_current": 1},
        {"except_current": "true"},
        {"all": True},
        [],
        {"except_current": None},
    ],
)
def test_bad_body_ends_no_session(ring: None, body: object) -> None:
    person = Person()

    problem(person.post(SESSIONS + "revoke-all/", body), 400)

    decoded(person.get(ME))
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["x", "a.b.c", "\u0130", "x" * 200, "../", "' OR 1=1 --"])
def test_refresh_and_logout_with_garbage_end_nothing_u13(ring: None, token: str) -> None:
    person = Person()

    problem(Caller().post(REFRESH, {"refresh_token": token}), 401)
    assert Caller().post("/api/auth/revoke/", {"refresh_token": token}).status_code == 204

    decoded(person.get(ME))
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
def test_access_token_of_another_ends_no_session_u13(ring: None) -> None:
    """Only the refresh token itself ends its session: whose access token comes along is nothing."""
    ada, bob = Person(), Person()

    bob.post("/api/auth/revoke/", {"refresh_token": bob._token[:200]})
    decoded(ada.get(ME))
    assert bob.post("/api/auth/revoke/", {"refresh_token": ada.refresh_token}).status_code == 204

    problem(ada.get(ME), 401)
    decoded(bob.get(ME))


ADA = "ada@example.org"
STRANGE: dict[str, Any] = {
    "array": [],
    "array of text": [ADA],
    "number": {"email": ADA, "password": 12345678},
    "objects": {"email": {"$ne": ""}, "password": {"$ne": ""}},
    "list": {"email": [ADA], "password": "x"},
    "NUL in the address": {"email": f"{ADA}\0", "password": "x"},
    "NUL": {"email": ADA, "password": "\0"},
    "null": {"email": None, "password": None},
}


@pytest.mark.django_db
@pytest.mark.parametrize("body", STRANGE.values(), ids=[f"u14-{name}" for name in STRANGE])
def test_log_in_with_a_strange_body_is_400_and_counts_nothing(ring: None, body: object) -> None:
    make_account(email=ADA)

    problem(Caller().post("/api/auth/token/", body), 400)

    assert not LoginAttempt.objects.exists()
    assert not Session.objects.exists()
