"""The security log: what an account's owner should know of, written with what it tells of."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.operations import purge
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.text_search import rows_with
from tests.factories import PASSWORD, make_account
from tests.people import EVENTS, ME, REFRESH, SESSIONS, TOKEN, Person
from users.models import RefreshToken, SecurityEvent
from users.services import accounts, roles, security_log
from users.services.security_log import Kind

NEW = "another good one"


def fail(email: str, **headers: str) -> None:
    problem(Caller().post(TOKEN, {"email": email, "password": "wrong one"}, **headers), 401)


def events_of(person: Person) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = decoded(person.get(EVENTS))["results"]
    return results


@pytest.mark.django_db
def test_log_in_from_a_new_device_is_logged_once_for_each(ring: None) -> None:
    person = Person(device="Firefox", address="203.0.113.77")
    Person(person.account, device="Firefox", address="198.51.100.1")
    phone = Person(person.account, device="Phone", address="2001:db8:1:2::3")

    found = [(each["kind"], each["device"], each["network"]) for each in events_of(phone)]

    assert found == [
        ("new_device", "Phone", "2001:db8:1::/48"),
        ("new_device", "Firefox", "203.0.113.0/24"),
    ]


@pytest.mark.django_db
def test_failed_log_ins_are_counted_by_network_and_hour(ring: None) -> None:
    account = make_account(email="ada@example.org")
    for address in ("203.0.113.1", "203.0.113.2", "198.51.100.1"):
        fail("ADA@example.org", User_Agent=f"bot {address}", X_Real_IP=address)

    rows = SecurityEvent.objects.filter(kind=Kind.LOGIN_FAILED).order_by("network")

    assert [(row.account_id, row.network, row.count, row.device) for row in rows] == [
        (account.pk, "198.51.100.0/24", 1, "bot 198.51.100.1"),
        (account.pk, "203.0.113.0/24", 2, "bot 203.0.113.2"),
    ]
    SecurityEvent.objects.update(hour=timezone.now() - timedelta(hours=2))
    fail("ada@example.org", X_Real_IP="203.0.113.1")
    assert SecurityEvent.objects.count() == 3


@pytest.mark.django_db
def test_failures_at_unknown_addresses_share_a_row_that_holds_no_address(ring: None) -> None:
    for email in ("nobody@example.org", "somebody@example.org", "no address"):
        fail(email, X_Real_IP="203.0.113.1")

    row = SecurityEvent.objects.get()
    assert (row.account_id, row.count, row.network) == (None, 3, "203.0.113.0/24")
    assert [rows_with(word) for word in ("nobody@", "somebody@")] == [{}, {}]


@pytest.mark.django_db
def test_refused_log_in_makes_the_same_statements_whoever_is_named_u1(ring: None) -> None:
    """A write for accounts alone would tell them by its time."""
    make_account(email="ada@example.org")
    make_account(email="bob@example.org", is_active=False)

    def statements(email: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            fail(email, X_Real_IP="203.0.113.1")
        return [query["sql"].split("(")[0].split("WHERE")[0] for query in queries]

    known, inactive, unknown = map(
        statements, ("ada@example.org", "bob@example.org", "eve@example.org")
    )

    assert known == inactive == unknown
    assert len([each for each in known if "security_event" in each]) == 1


@pytest.mark.django_db
def test_log_in_of_an_inactive_account_is_a_failure(ring: None) -> None:
    account = make_account(email="ada@example.org", is_active=False)

    problem(Caller().post(TOKEN, {"email": account.email, "password": PASSWORD}), 401)

    assert SecurityEvent.objects.get().account_id == account.pk


@pytest.mark.django_db
def test_change_of_password_and_a_wrong_try_at_it_are_logged(ring: None) -> None:
    person = Person(device="Firefox")
    path = ME + "password/"

    problem(person.post(path, {"current_password": "wrong", "new_password": NEW}), 403)
    assert person.post(path, {"current_password": PASSWORD, "new_password": NEW}).status_code == 204

    first, second = events_of(person)[:2]
    assert (first["kind"], first["device"]) == ("password_changed", "Firefox")
    assert (second["kind"], second["count"]) == ("login_failed", 1)


@pytest.mark.django_db
def test_replayed_refresh_token_is_logged_and_its_session_over(ring: None) -> None:
    thief = Person(device="Thief")
    person = Person(thief.account, device="Firefox")
    stolen = thief.refresh_token
    thief.refresh()
    RefreshToken.objects.update(encrypted_answer=None)

    problem(thief.post(REFRESH, {"refresh_token": stolen}), 401)

    assert events_of(person)[0]["kind"] == "refresh_replayed"
    assert events_of(person)[0]["device"] == "Thief"
    problem(thief.get(ME), 401)


@pytest.mark.django_db
def test_what_operators_do_is_logged_without_an_origin() -> None:
    account = make_account()

    accounts.set_password(account=account, password=NEW)
    roles.make_staff(account=account)
    roles.make_staff(account=account)
    roles.revoke_staff(account=account)
    accounts.deactivate(account=account)
    accounts.reactivate(account=account)

    rows = SecurityEvent.objects.order_by("id")
    assert [row.kind for row in rows] == [
        "password_changed",
        "roles_changed",
        "roles_changed",
        "deactivated",
        "reactivated",
    ]
    assert {(row.network, row.device, row.by) for row in rows} == {("", "", None)}


@pytest.mark.django_db
def test_revoked_sessions_are_logged(ring: None) -> None:
    person = Person()

    person.post(SESSIONS + "revoke-all/", {"except_current": True})

    assert person.logged() == ["sessions_revoked", "new_device"]


@pytest.mark.django_db
def test_log_comes_in_pages_newest_first(ring: None) -> None:
    person = Person()
    for _ in range(4):
        security_log.record(Kind.SESSIONS_REVOKED, account_id=person.id)

    seen, link = [], f"{EVENTS}?page_size=2"
    while link:
        page = decoded(person.get(link))
        seen += [each["id"] for each in page["results"]]
        link = page["next"]

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5
    problem(person.get(EVENTS + "?page_size=0"), 400)
    problem(person.get(EVENTS + "?account_id=x"), 400)


@pytest.mark.django_db
def test_log_of_an_account_is_for_its_owner_and_staff(ring: None) -> None:
    ada, bob, staff = Person(), Person(), Person(make_account(is_staff=True))
    path = f"/api/users/{ada.id}/security-events/"

    answer = staff.get(path)

    (event,) = decoded(answer)["results"]
    assert (event["kind"], event["by"]) == ("new_device", None)
    assert answer["Cache-Control"] == "no-store"
    for caller in (bob, ada):
        problem(caller.get(path), 403)
    problem(Caller().get(path), 401)
    problem(Caller().get(EVENTS), 401)
    assert [each["id"] for each in events_of(ada)] == [event["id"]]
    assert "by" not in events_of(ada)[0]
    assert decoded(staff.get(f"/api/users/{uuid7()}/security-events/"))["results"] == []


@pytest.mark.django_db(transaction=True)
def test_log_is_purged_after_180_days() -> None:
    account = make_account()
    for days in (179, 181):
        SecurityEvent.objects.create(
            account_id=account.pk, kind=Kind.DEACTIVATED, at=timezone.now() - timedelta(days=days)
        )

    purge.run()

    assert SecurityEvent.objects.get().at > timezone.now() - timedelta(days=180)


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:77:1::/64", "2001:db8:77::/48"),
        ("2001:db8:77:1::5", "2001:db8:77::/48"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_network_is_shorter_than_an_address(source: str, network: str) -> None:
    assert security_log.network_of(source) == network
