"""Reads of accounts."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from servicekit.testing.client import Caller, decoded
from tests.factories import make_account
from users import selectors
from users.api.serializers import AccountRead


@pytest.mark.django_db
def test_body_of_an_account_is_whole_and_holds_no_secret() -> None:
    moment = datetime(2026, 11, 2, 8, 26, tzinfo=UTC)
    account = make_account(email="ada@example.org", name="Ada", is_staff=True, registered_at=moment)

    assert AccountRead(selectors.account_for_id(account.pk)).data == {
        "id": str(account.pk),
        "email": "ada@example.org",
        "name": "Ada",
        "roles": ["customer", "staff", "admin"],
        "email_verified": False,
        "registered_at": "2026-11-02T08:26:00Z",
        "active": True,
        "language": "en",
        "marketing_consent": False,
        "marketing_consent_at": None,
    }


@pytest.mark.django_db
def test_account_for_id_knows_no_strangers_and_nobody_inactive() -> None:
    inactive = make_account(is_active=False)

    assert selectors.account_for_id(inactive.pk) is None
    assert selectors.account_for_id(uuid7()) is None


@pytest.mark.django_db
def test_list_holds_the_inactive_too() -> None:
    ids = {make_account().pk, make_account(is_active=False).pk}

    found = list(selectors.list_accounts())

    assert {account.pk for account in found} == ids
    assert all("password" in account.get_deferred_fields() for account in found)


@pytest.mark.django_db
def test_list_is_two_queries_whatever_its_length(staff: Caller) -> None:
    for _ in range(3):
        make_account()

    with CaptureQueriesContext(connection) as asked:
        assert len(decoded(staff.get("/api/users/"))["results"]) == 3

    # The accounts, and the roles of all of them; revocations are read once a second.
    assert sum('"account"' in query["sql"] or "auth_group" in query["sql"] for query in asked) == 2
