"""Accounts as staff see them: find, read, deactivate, reactivate; nobody else may."""

import pytest
from uuid_utils.compat import uuid7

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from tests.people import ME, TOKEN, Person
from users.models import Account

USERS = "/api/users/"


def path_of(account: Account, action: str = "") -> str:
    return f"{USERS}{account.pk}/{action}"


@pytest.mark.django_db
def test_staff_deactivate_and_reactivate_an_account(ring: None) -> None:
    staff, ada = Person(make_account(is_staff=True)), Person(device="Ada's")

    closed = staff.post(path_of(ada.account, "deactivate/"))

    assert decoded(closed)["active"] is False
    assert closed["Cache-Control"] == "no-store"
    problem(ada.get(ME), 401, "invalid_token")
    problem(Caller().post(TOKEN, {"email": ada.account.email, "password": PASSWORD}), 401)
    events = outbox_events()
    decoded(staff.post(path_of(ada.account, "deactivate/")))
    assert outbox_events() == events
    assert decoded(staff.post(path_of(ada.account, "reactivate/"), {}))["active"] is True
    assert outbox_events()[-1]["data"]["active"] is True

    again = Person(ada.account)
    problem(ada.get(ME), 401)
    log = decoded(staff.get(path_of(ada.account, "security-events/")))["results"]
    by_staff = [(each["kind"], each["by"]) for each in log if each["by"]]
    assert by_staff == [("reactivated", str(staff.id)), ("deactivated", str(staff.id))]
    assert again.logged()[0] == "new_device"


@pytest.mark.django_db
def test_staff_read_an_account(staff: Caller) -> None:
    ada = make_account(email="ada@example.org", is_active=False)

    answer = staff.get(path_of(ada))

    assert (decoded(answer)["email"], decoded(answer)["active"]) == ("ada@example.org", False)
    assert answer["Cache-Control"] == "no-store"
    problem(staff.get(f"{USERS}{uuid7()}/"), 404)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["ada", "adele", "bob"]),
        ("email=ad", ["ada", "adele"]),
        ("email=ADA@", ["ada"]),
        ("email=%25", []),
        ("email=a_a", []),
        ("name=LOVE", ["ada"]),
        ("name=%25", []),
        ("active=false", ["adele"]),
        ("active=true&email=ad", ["ada"]),
        ("active=all", ["ada", "adele", "bob"]),
    ],
)
def test_staff_find_accounts(staff: Caller, query: str, found: list[str]) -> None:
    make_account(email="ada@example.org", name="Ada Lovelace")
    make_account(email="adele@example.org", name="Adele", is_active=False)
    make_account(email="bob@example.org", name="Bob")

    results = decoded(staff.get(f"{USERS}?{query}"))["results"]

    assert sorted(each["email"].partition("@")[0] for each in results) == found


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "password__startswith=a",
        "password=a",
        "email__startswith=a",
        "email__regex=(a%2B)%2B$",
        "_connector=OR",
        "is_staff=true",
        "active=yes",
        "active=1",
        "email=a&email=b",
        "email=" + "a" * 300,
        "name=" + "a" * 201,
        "name=%00",
        "ordering=password",
    ],
    ids=lambda query: f"u11-{query[:24]}",
)
def test_other_filters_are_400_for_staff_and_403_for_customers(
    staff: Caller, customer: Caller, query: str
) -> None:
    make_account(email="ada@example.org")

    problem(staff.get(f"{USERS}?{query}"), 400)
    problem(customer.get(f"{USERS}?{query}"), 403)
    problem(Caller().get(f"{USERS}?{query}"), 401)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "action"),
    [("GET", ""), ("PATCH", ""), ("PUT", ""), ("DELETE", ""), ("POST", "deactivate/"),
     ("POST", "reactivate/"), ("GET", "security-events/")],
    ids=lambda value: f"u10-{value}",
)  # fmt: skip
def test_account_of_somebody_else_is_403_and_stays(
    customer: Caller, method: str, action: str
) -> None:
    make_account(customer.id)
    ada = make_account(email="ada@example.org", name="Ada")
    before = list(Account.objects.values()), outbox_events()

    problem(customer.call(method, path_of(ada, action), {"name": "x"}), 403, "permission_denied")
    problem(customer.call(method, f"{USERS}ada@example.org/{action}", {}), 404)
    problem(Caller().call(method, path_of(ada, action), {}), 401)

    assert (list(Account.objects.values()), outbox_events()) == before


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "POST"])
def test_staff_neither_edit_nor_delete_an_account_by_its_id(staff: Caller, method: str) -> None:
    ada = make_account(name="Ada")

    problem(staff.call(method, path_of(ada), {"name": "x"}), 405)
    problem(staff.post(path_of(ada, "deactivate/"), {"by": "x"}), 400)

    assert Account.objects.get() == ada
    assert Account.objects.get().is_active
