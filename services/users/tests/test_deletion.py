"""Close an account for now, delete it for good, take one's data along."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from servicekit.models import Mail, OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from servicekit.testing.text_search import rows_with
from tests.authenticators import Authenticator
from tests.factories import PASSWORD, make_account
from tests.people import EVENTS, ME, REFRESH, SESSIONS, TOKEN, Person
from users import tasks
from users.errors import InvalidRefreshToken, WrongPassword
from users.models import (
    Account,
    LoginAttempt,
    LogInChallenge,
    Passkey,
    RecoveryCode,
    RefreshToken,
    Registration,
    SecurityEvent,
    Session,
    TotpDevice,
)
from users.services import deletion, email_change, password_reset, registration, sessions
from users.services.factors import passkey_proofs, passkeys, second_factor
from users.services.login_attempts import MAILS_TO, account_key

DEACTIVATE, DELETE, EXPORT = ME + "deactivate/", ME + "delete/", ME + "export/"
ADDRESSES = ME + "addresses/"
RIGHT, WRONG = {"password": PASSWORD}, {"password": "not the right one"}
NAME, EMAIL, STREET = "Ada Quillfeather", "ada.quillfeather@example.org", "12 Larkspur Row"
DEVICE, IP = "Quillbrowser/7", "203.0.113.77"
ADDRESS = {"name": NAME, "line1": STREET, "city": "London", "country": "GB", "phone": "+44 1632 96"}


@pytest.fixture
def ada(ring: None) -> Person:
    """Somebody who has left traces everywhere."""
    account = make_account(email=EMAIL, name=NAME)
    problem(Caller().post(TOKEN, {"email": EMAIL, **WRONG}, X_Real_IP=IP, User_Agent=DEVICE), 401)
    person = Person(account, device=DEVICE, address=IP)
    Person(account, device="Phone")
    person.refresh()
    decoded(person.post(ADDRESSES, ADDRESS), 201)
    decoded(person.patch(ME, {"language": "de", "marketing_consent": True}))
    return person


def ask_for(person: Person, email: str) -> str:
    """Wish for another address; return the token that waits to be mailed there."""
    body = {"new_email": email, "current_password": PASSWORD}
    assert person.post(ME + "email/", body).status_code == 202
    tasks.answer_mail_requests()
    return str(Mail.objects.get(recipient=email).context["token"])


def state() -> list[object]:
    rows = [list(model.objects.order_by("pk").values()) for model in (Account, Session)]
    return [*rows, outbox_events()]


@pytest.mark.django_db
def test_deleted_account_leaves_no_trace_in_any_table_u16(ada: Person) -> None:
    # As the release before published it.
    OutboxEvent.objects.create(
        id=ada.id,
        type="users.user_registered.v1",
        subject=str(ada.id),
        sequence=1,
        data=f'{{"email": "{EMAIL}"}}'.encode(),
        created_at="2026-11-02T00:00:00Z",
    )
    password_reset.ask(email=EMAIL, source="203.0.113.7")
    registration.ask(email=EMAIL, password=PASSWORD, source="203.0.113.8")
    key = Authenticator()
    options = passkeys.begin(account_id=ada.id, current_password=PASSWORD, proof={})
    passkeys.register(
        account_id=ada.id,
        name="Quillkey",
        credential=key.create(options),
        session_id=Session.objects.earliest("id").pk,
    )
    second_factor.begin(
        account_id=ada.id,
        current_password=PASSWORD,
        proof={"passkey": key.get(passkey_proofs.proof_options(account=ada.account))},
    )
    hashed, credential = account_key(EMAIL).hex(), key.credential_id.hex()
    secret = bytes(TotpDevice.objects.get().encrypted_secret).hex()
    recovery = bytes(RecoveryCode.objects.first().digest).hex()
    traces = (
        *(NAME, EMAIL, STREET, DEVICE, "203.0.113", "+44 1632 96", "Phone", hashed),
        *("Quillkey", credential, secret, recovery),
    )
    assert all(rows_with(text) for text in traces)

    assert ada.post(DELETE, RIGHT).status_code == 204

    assert {text: found for text in traces if (found := rows_with(text))} == {}
    assert not Account.objects.exists()
    assert not RefreshToken.objects.exists()
    assert not LoginAttempt.objects.exists()
    assert not Registration.objects.exists()
    factors = (Passkey, TotpDevice, RecoveryCode, LogInChallenge)
    assert [model.objects.count() for model in factors] == [0, 0, 0, 0]


@pytest.mark.django_db
def test_deleted_account_leaves_no_trace_of_addresses_that_it_had_or_asked_for(
    ada: Person,
) -> None:
    second, wished = "ada.second@example.org", "ada.third@example.org"
    moved = ask_for(ada, second)
    email_change.confirm(token=moved)
    ask_for(ada, wished)
    hashed = account_key(EMAIL).hex()
    traces = (EMAIL, second, wished, NAME)
    assert all(rows_with(text) for text in traces)
    assert rows_with(hashed) == {}

    assert ada.post(DELETE, RIGHT).status_code == 204

    assert {text: found for text in (*traces, hashed) if (found := rows_with(text))} == {}
    # How often it was written to protects whoever reads it.
    assert rows_with(account_key(wished, purpose=MAILS_TO).hex())


@pytest.mark.django_db
def test_deletion_is_published_by_id_alone_and_ends_every_session(ada: Person) -> None:
    version = Account.objects.get().version

    ada.post(DELETE, RIGHT)

    *revoked, deleted = outbox_events()[-3:]
    assert [event["type"] for event in revoked] == ["users.user_sessions_revoked.v1"] * 2
    assert (deleted["type"], deleted["subject"]) == ("users.user_deleted.v1", str(ada.id))
    assert deleted["sequence"] == version + 1
    assert set(deleted["data"]) == {"user_id", "deleted_at"}


@pytest.mark.django_db
def test_tokens_of_a_deleted_account_are_refused_u16(ada: Person) -> None:
    ada.post(DELETE, RIGHT)

    for path in (ME, SESSIONS, EVENTS, EXPORT, ADDRESSES):
        problem(ada.get(path), 401, "invalid_token")
    problem(ada.post(ADDRESSES, ADDRESS), 401)
    problem(ada.post(REFRESH, {"refresh_token": ada.refresh_token}), 401)
    problem(Caller().post(TOKEN, {"email": EMAIL, **RIGHT}), 401, "wrong_credentials")


@pytest.mark.django_db
def test_address_of_a_deleted_account_may_register_anew(ada: Person) -> None:
    ada.post(DELETE, RIGHT)

    again = Person(make_account(email=EMAIL))

    assert again.id != ada.id
    assert decoded(again.get(ADDRESSES))["results"] == []
    assert again.logged() == ["new_device"]


@pytest.mark.django_db
def test_security_log_of_a_deleted_account_tells_staff_what_and_when(ada: Person) -> None:
    staff = Person(make_account(is_staff=True))

    ada.post(DELETE, RIGHT)

    found = decoded(staff.get(f"/api/users/{ada.id}/security-events/"))["results"]
    assert [each["kind"] for each in found] == ["deleted", "new_device", "new_device"]
    assert {(each["network"], each["device"]) for each in found} == {("", "")}
    problem(staff.get(f"/api/users/{ada.id}/"), 404)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [DEACTIVATE, DELETE])
@pytest.mark.parametrize(
    ("body", "status"),
    [(WRONG, 403), ({}, 400), ({"password": 7}, 400), ({"password": ""}, 403), ([], 400),
     ({**RIGHT, "really": True}, 400), ({"password": "x" * 2000}, 400), ({"password": "\0"}, 400)],
    ids=["wrong", "none", "number", "empty", "array", "unknown", "long", "nul"],
)  # fmt: skip
def test_refusal_to_close_an_account_changes_nothing(
    ada: Person, path: str, body: Any, status: int
) -> None:
    before = state()

    problem(ada.post(path, body), status)

    assert state() == before
    decoded(ada.get(ME))


@pytest.mark.django_db
@pytest.mark.parametrize("path", [DEACTIVATE, DELETE])
def test_guesses_at_the_password_are_slowed_down(ada: Person, path: str) -> None:
    statuses = [ada.post(path, WRONG).status_code for _ in range(25)]

    assert statuses[:5] == [403] * 5
    assert statuses[-1] == 429
    problem(ada.post(path, RIGHT), 429, "too_many_attempts")
    assert "login_failed" in ada.logged()
    assert Account.objects.get().is_active


@pytest.mark.django_db
def test_deactivated_account_is_refused_and_says_so(ada: Person) -> None:
    assert ada.post(DEACTIVATE, RIGHT).status_code == 204

    problem(ada.get(ME), 401, "invalid_token")
    problem(ada.post(REFRESH, {"refresh_token": ada.refresh_token}), 401)
    problem(Caller().post(TOKEN, {"email": EMAIL, **RIGHT}), 401, "wrong_credentials")
    account = Account.objects.get()
    updated, deactivated = outbox_events()[-2:]
    assert (updated["type"], updated["data"]["active"]) == ("users.user_updated.v1", False)
    assert deactivated["type"] == "users.user_deactivated.v1"
    assert updated["sequence"] == deactivated["sequence"] == account.version
    assert (account.is_active, account.name) == (False, NAME)


@pytest.mark.django_db
def test_export_is_all_that_users_holds_of_a_person(ada: Person) -> None:
    answer = ada.get(EXPORT)

    body = decoded(answer)
    assert answer["Content-Disposition"] == 'attachment; filename="souk-account.json"'
    assert answer["Cache-Control"] == "no-store"
    assert (body["account"]["email"], body["account"]["language"]) == (EMAIL, "de")
    assert ADDRESS.items() <= body["addresses"][0].items()
    assert [each["device"] for each in body["sessions"]] == [DEVICE, "Phone"]
    assert [each["kind"] for each in body["security_events"]] == [
        "new_device",
        "new_device",
        "login_failed",
    ]
    assert body["elsewhere"]["orders"] == "/api/orders/"
    assert "password" not in answer.content.decode()


@pytest.mark.django_db
def test_export_holds_nothing_of_others_u10(ada: Person) -> None:
    bob = Person()

    text = bob.get(EXPORT).content.decode()

    assert not any(word in text for word in (NAME, EMAIL, STREET, DEVICE))
    problem(Caller().get(EXPORT), 401)


@pytest.mark.django_db(transaction=True)
def test_deletion_beside_a_refresh_leaves_nothing(ring: None) -> None:
    person = Person()

    def refresh() -> None:
        with suppress(InvalidRefreshToken):
            sessions.refresh(refresh_token=person.refresh_token)

    at_once(
        refresh, lambda: deletion.delete_oneself(account_id=person.id, password=PASSWORD), refresh
    )

    assert [model.objects.count() for model in (Account, Session, RefreshToken)] == [0, 0, 0]


@pytest.mark.django_db(transaction=True)
def test_deletion_twice_at_once_is_one_event(ring: None) -> None:
    person = Person()

    def delete() -> bool:
        try:
            deletion.delete_oneself(account_id=person.id, password=PASSWORD)
        except WrongPassword:
            return False
        return True

    assert sorted(at_once(*[delete] * 3)) == [False, False, True]
    assert len(outbox_events("users.user_deleted.v1")) == 1


@pytest.mark.django_db(transaction=True)
def test_deletion_that_fails_leaves_everything(ring: None) -> None:
    person = Person()
    before = state(), SecurityEvent.objects.count(), LoginAttempt.objects.count()
    # The last write fails, as it would if the outbox took no event.
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE outbox ADD CONSTRAINT refuses CHECK (type NOT LIKE '%deleted%')"
        )
    try:
        assert person.post(DELETE, RIGHT).status_code >= 500
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE outbox DROP CONSTRAINT refuses")

    assert (state(), SecurityEvent.objects.count(), LoginAttempt.objects.count()) == before
    decoded(person.get(ME))
