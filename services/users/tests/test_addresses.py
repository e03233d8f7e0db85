"""Addresses: several for each account, and one of them the default, whatever happens at once."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from servicekit.http.problems import NotFound
from servicekit.postal import COUNTRIES
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.races import at_once
from tests.factories import make_account
from users.errors import TooManyAddresses
from users.models import MAX_ADDRESSES, Account, Address
from users.services import addresses

PATH = "/api/users/me/addresses/"
LONDON = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}


@pytest.fixture
def ada(customer: Caller) -> Caller:
    make_account(customer.id, email="ada@example.org")
    return customer


def add(caller: Caller, **members: Any) -> Any:
    return decoded(caller.post(PATH, {**LONDON, **members}), 201)


def defaults(account_id: Any) -> list[str]:
    rows = Address.objects.filter(account_id=account_id, is_default=True)
    return [str(row.pk) for row in rows]


@pytest.mark.django_db
def test_address_is_added_read_edited_and_deleted(ada: Caller) -> None:
    made = ada.post(PATH, {**LONDON, "phone": "+44 20 7946 0000"})
    address = decoded(made, 201)
    path = f"{PATH}{address['id']}/"
    assert made["Location"] == path
    assert made["Cache-Control"] == "no-store"
    assert {**LONDON, "line2": "", "region": "", "is_default": True}.items() <= address.items()

    edited = decoded(ada.patch(path, {"line2": "Flat 3", "city": "Londres"}))

    assert (edited["line2"], edited["city"], edited["line1"]) == (
        "Flat 3",
        "Londres",
        LONDON["line1"],
    )
    assert edited["updated_at"] > edited["created_at"]
    assert decoded(ada.get(path)) == edited
    assert decoded(ada.get(PATH)) == {"results": [edited], "next": None}
    assert ada.delete(path).status_code == 204
    problem(ada.get(path), 404)
    assert not Address.objects.exists()


@pytest.mark.django_db
def test_first_is_the_default_until_another_is_made_it(ada: Caller) -> None:
    first = add(ada, is_default=False)
    second = add(ada)
    third = add(ada, is_default=True)
    assert [each["is_default"] for each in (first, second, third)] == [True, False, True]
    assert defaults(ada.id) == [third["id"]]

    decoded(ada.patch(f"{PATH}{second['id']}/", {"is_default": True}))
    assert defaults(ada.id) == [second["id"]]
    decoded(ada.patch(f"{PATH}{second['id']}/", {"is_default": True, "city": "Bath"}))
    refused = ada.patch(f"{PATH}{second['id']}/", {"is_default": False, "city": "York"})

    problem(refused, 409, "default_address_needed")
    assert Address.objects.get(pk=second["id"]).city == "Bath"
    assert ada.delete(f"{PATH}{second['id']}/").status_code == 204
    assert defaults(ada.id) == [third["id"]]
    assert ada.delete(f"{PATH}{first['id']}/").status_code == 204
    assert defaults(ada.id) == [third["id"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("country", "UK"),
        ("country", "gb"),
        ("country", "GBR"),
        ("country", None),
        ("country", 44),
        ("country", ["GB"]),
        ("country", ""),
        ("name", ""),
        ("name", " \u200d "),
        ("name", "a\u202eb"),
        ("line1", "12\nSquare"),
        ("line1", "x" * 201),
        ("line2", None),
        ("city", 7),
        ("city", "\0"),
        ("postcode", "x" * 21),
        ("phone", "x" * 31),
        ("is_default", "true"),
        ("is_default", 1),
        ("account", "x"),
        ("id", "0190a5b4-0000-7000-8000-000000000009"),
    ],
)
def test_bad_member_of_an_address_is_400_and_adds_nothing(
    ada: Caller, member: str, value: Any
) -> None:
    kept = add(ada)

    found = [
        problem(ada.post(PATH, {**LONDON, member: value}), 400),
        problem(ada.patch(f"{PATH}{kept['id']}/", {member: value}), 400),
    ]

    for answer in found:
        pointers = [error["pointer"] for error in answer.get("errors", [])]
        assert pointers in ([f"/{member}"], [])
    assert Address.objects.count() == 1
    assert decoded(ada.get(f"{PATH}{kept['id']}/")) == kept


@pytest.mark.django_db
def test_missing_members_are_named(ada: Caller) -> None:
    problem(ada.post(PATH, {}), 400, "invalid", "/name", "/line1", "/city", "/country")


@pytest.mark.django_db
def test_script_in_an_address_is_text(ada: Caller) -> None:
    text = "<script>alert('{{7*7}}')</script>"

    assert add(ada, line1=text)["line1"] == text


@pytest.mark.django_db
def test_address_of_somebody_else_is_404_and_stays_u10(ada: Caller, staff: Caller) -> None:
    make_account(staff.id)
    other = addresses.add_address(account_id=make_account().pk, fields={**LONDON})
    path = f"{PATH}{other.pk}/"

    for caller in (ada, staff):
        problem(caller.get(path), 404)
        problem(caller.patch(path, {"city": "x"}), 404)
        problem(caller.patch(path, {"is_default": True}), 404)
        problem(caller.delete(path), 404)
        assert decoded(caller.get(PATH))["results"] == []
    problem(ada.get(f"{PATH}{uuid7()}/"), 404)
    problem(Caller().get(PATH), 401)

    assert Address.objects.get().city == "London"


@pytest.mark.django_db
def test_account_has_twenty_addresses_at_most(ada: Caller) -> None:
    for _ in range(MAX_ADDRESSES):
        addresses.add_address(account_id=ada.id, fields={**LONDON})

    problem(ada.post(PATH, LONDON), 409, "too_many_addresses")

    assert len(decoded(ada.get(PATH))["results"]) == Address.objects.count() == MAX_ADDRESSES


@pytest.mark.django_db(transaction=True)
def test_addresses_added_at_once_have_one_default_and_stay_below_the_limit() -> None:
    account = make_account()
    for _ in range(MAX_ADDRESSES - 3):
        addresses.add_address(account_id=account.pk, fields={**LONDON})

    def run() -> bool:
        try:
            addresses.add_address(account_id=account.pk, fields={**LONDON, "is_default": True})
        except TooManyAddresses:
            return False
        return True

    outcomes = at_once(*[run] * 8)

    assert sorted(outcomes) == [False] * 5 + [True] * 3
    assert len(defaults(account.pk)) == 1


@pytest.mark.django_db(transaction=True)
def test_default_deleted_while_another_is_made_it_leaves_one() -> None:
    account = make_account()
    first, second, third = (
        addresses.add_address(account_id=account.pk, fields={**LONDON}) for _ in range(3)
    )

    def make_default(address: Address) -> None:
        addresses.edit_address(
            account_id=account.pk, address_id=address.pk, changes={"is_default": True}
        )

    at_once(
        lambda: addresses.delete_address(account_id=account.pk, address_id=first.pk),
        lambda: make_default(second),
        lambda: make_default(third),
    )

    assert Address.objects.count() == 2
    assert len(defaults(account.pk)) == 1


@pytest.mark.django_db
def test_database_itself_refuses_a_second_default() -> None:
    account = make_account()
    addresses.add_address(account_id=account.pk, fields={**LONDON})

    with pytest.raises(IntegrityError, match="address_one_default"), transaction.atomic():
        Address.objects.create(account=account, is_default=True, **LONDON)
    with pytest.raises(IntegrityError, match="address_country"), transaction.atomic():
        Address.objects.create(account=account, **{**LONDON, "country": "gb"})


@pytest.mark.django_db
def test_address_of_an_account_that_is_gone_is_not_added() -> None:
    account = make_account()
    Account.objects.all().delete()

    with pytest.raises(NotFound):
        addresses.add_address(account_id=account.pk, fields={**LONDON})


def test_countries_are_those_of_iso_3166() -> None:
    assert len(COUNTRIES) == 249
    assert {"GB", "DE", "AT", "CH", "US", "TW", "SS"} <= COUNTRIES
    assert not {"UK", "EU", "XK", "AN", "CS"} & COUNTRIES
