"""What people tell of themselves: name, language, consent."""

from typing import Any

import pytest

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import make_account
from users.models import Account
from users.services import accounts, profiles

ME = "/api/users/me/"
UPDATED = "users.user_updated.v1"


@pytest.fixture
def ada(customer: Caller) -> Caller:
    make_account(customer.id, email="ada@example.org", name="Ada")
    return customer


@pytest.mark.django_db
def test_profile_is_edited_member_by_member_and_published_without_a_name(ada: Caller) -> None:
    named = decoded(ada.patch(ME, {"name": "Countess"}))
    edited = decoded(ada.patch(ME, {"language": "de", "marketing_consent": True}))

    assert (named["name"], named["language"], named["marketing_consent"]) == (
        "Countess",
        "en",
        False,
    )
    assert (edited["name"], edited["language"], edited["marketing_consent"]) == (
        "Countess",
        "de",
        True,
    )
    event = outbox_events(UPDATED)[-1]
    assert event["sequence"] == event["data"].pop("version") == 3
    assert event["data"] == {
        "user_id": str(ada.id),
        "active": True,
        "roles": ["customer"],
        "email_verified": False,
        "language": "de",
        "marketing_consent": True,
    }


@pytest.mark.django_db
def test_consent_keeps_the_time_of_its_last_change(ada: Caller) -> None:
    untouched = decoded(ada.patch(ME, {"marketing_consent": False}))
    given = decoded(ada.patch(ME, {"marketing_consent": True}))
    again = decoded(ada.patch(ME, {"marketing_consent": True, "name": "Ada L."}))
    withdrawn = decoded(ada.patch(ME, {"marketing_consent": False}))

    times = [each["marketing_consent_at"] for each in (untouched, given, again, withdrawn)]
    assert times[0] is None
    assert times[1] == times[2] < times[3]
    assert not withdrawn["marketing_consent"]


@pytest.mark.django_db
def test_edit_that_changes_nothing_is_no_event_and_no_version(ada: Caller) -> None:
    before = outbox_events()

    answer = ada.patch(ME, {"name": "Ada", "language": "en"})

    assert answer["ETag"] == '"1"'
    problem(ada.patch(ME, {}), 400)
    assert outbox_events() == before


@pytest.mark.django_db
def test_edit_of_a_stale_version_is_412_and_changes_nothing(ada: Caller) -> None:
    tag = ada.get(ME)["ETag"]
    fresh = ada.patch(ME, {"name": "Countess"}, If_Match=tag)
    before = outbox_events()

    for stale in (tag, '"0"', '"9999999999"', '"x"', '"²"'):
        problem(ada.patch(ME, {"name": "x"}, If_Match=stale), 412, "stale_version")
    problem(ada.patch(ME, {"name": "x"}, If_Match="2"), 400)

    assert Account.objects.get().name == "Countess"
    assert outbox_events() == before
    decoded(ada.patch(ME, {"name": "y"}, If_Match=f"W/{fresh['ETag']}"))
    decoded(ada.patch(ME, {"name": "z"}, If_Match="*"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("language", "fr"),
        ("language", "DE"),
        ("language", None),
        ("language", ["de"]),
        ("marketing_consent", "yes"),
        ("marketing_consent", 1),
        ("marketing_consent", None),
        ("marketing_consent_at", "2020-01-01T00:00:00Z"),
        *[(name, True) for name in ("is_staff", "is_superuser", "is_active", "active")],
        *[(name, "x") for name in ("role", "roles", "id", "email", "groups", "version")],
        ("email_verified", True),
        ("registered_at", "2020-01-01T00:00:00Z"),
    ],
    ids=lambda value: f"u6-{value}",
)
def test_bad_member_of_a_profile_is_400_and_changes_nothing(
    ada: Caller, member: str, value: Any
) -> None:
    before = list(Account.objects.values()), outbox_events()

    problem(ada.patch(ME, {"name": "x", member: value}), 400, "", f"/{member}")

    assert (list(Account.objects.values()), outbox_events()) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("<script>alert(1)</script>", 200),
        ("{{7*7}} ${7*7} %(x)s", 200),
        ("admin", 200),
        ("'; DROP TABLE account; --", 200),
        ("=cmd|' /C calc'!A0", 200),
        ("Ada\u202egro.elpmaxe", 400),
        ("Ada\r\nBcc: all@example.org", 400),
        ("x" * 201, 400),
        ("x" * 100_000, 413),
        ("\0", 400),
    ],
    ids=lambda value: f"u17-{value[:12]!a}-{len(value)}" if isinstance(value, str) else None,
)
def test_display_name_is_stored_as_text_or_refused(ada: Caller, name: str, status: int) -> None:
    answer = ada.patch(ME, {"name": name})

    assert answer.status_code == status
    assert Account.objects.get().name == (name if status == 200 else "Ada")
    if status == 200:
        assert decoded(answer)["name"] == name


@pytest.mark.django_db
def test_profile_of_an_account_that_was_just_deactivated_is_not_edited(ada: Caller) -> None:
    account = Account.objects.get()
    accounts.deactivate(account=account)

    problem(ada.patch(ME, {"name": "x"}), 401, "invalid_token")
    with pytest.raises(profiles.NotFound):
        profiles.edit_profile(account_id=account.pk, changes={"name": "x"})

    assert Account.objects.get().name == "Ada"
