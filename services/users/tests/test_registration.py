"""Registration tells nobody who has an account: the mail alone does, to its reader."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from servicekit.operations import purge
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.mailbox import Mailbox, html_of, text_of
from servicekit.testing.races import at_once
from tests import mails
from tests.factories import PASSWORD, make_account
from tests.mails import mails_to, subjects_to, token_of
from tests.people import ME, TOKEN, Person
from users.models import Account, Registration
from users.services import accounts, mail_tokens, registration

mailbox = mails.mailbox
pytestmark = pytest.mark.django_db(transaction=True)
USERS, CONFIRM, ACCOUNTS = "/api/users/", "/api/users/registration/", "/api/users/accounts/"
ADA, OTHER = "ada@example.org", "another good one"
OPEN, TAKEN = "Open your account", "You have an account"


def register(email: str = ADA, password: str = PASSWORD, **more: Any) -> Any:
    body = {"email": email, "password": password, "name": "Ada"}
    answer = Caller().post(USERS, body, **more)
    assert (answer.status_code, answer.content) == (202, b"")
    return answer


def confirm(token: str, password: str = PASSWORD) -> Any:
    return Caller().post(CONFIRM, {"token": token, "password": password})


def registered(mailbox: Mailbox, email: str = ADA, **more: Any) -> str:
    """Register; return the token of the mail."""
    register(email, **more)
    return token_of(mails_to(mailbox, email)[-1])


def test_mail_and_account_have_the_language_that_was_asked_for(mailbox: Mailbox) -> None:
    body = {"email": ADA, "password": PASSWORD, "language": "de"}
    assert Caller().post(USERS, body).status_code == 202

    (message,) = mails_to(mailbox, ADA)
    assert message["Subject"] == "Eröffnen Sie Ihr Konto"
    assert confirm(token_of(message)).status_code == 201
    assert Account.objects.get().language == "de"
    problem(Caller().post(USERS, {**body, "language": "fr"}), 400, "", "/language")


def nothing_is_made(refused: Callable[[], Any]) -> Any:
    answer = refused()
    assert not Account.objects.exists()
    assert outbox_events() == []
    return answer


def test_register_log_in_and_read_oneself(ring: None, mailbox: Mailbox) -> None:
    register("Ada@Example.org")
    assert not Account.objects.exists()
    (message,) = mails_to(mailbox, ADA)

    made = confirm(token_of(message))

    account = decoded(made, 201)
    assert (account["email"], account["name"], account["roles"], account["email_verified"]) == (
        ADA,
        "Ada",
        ["customer"],
        True,
    )
    assert (made["Location"], made["Cache-Control"]) == (ME, "no-store")
    (event,) = outbox_events()
    assert (event["type"], event["subject"]) == ("users.user_registered.v2", account["id"])
    assert event["sequence"] == 1
    tokens = decoded(Caller().post(TOKEN, {"email": ADA, "password": PASSWORD}))
    header = f"Bearer {tokens['access_token']}"
    assert decoded(Caller().get(ME, Authorization=header)) == account
    assert not Registration.objects.exists()


@pytest.mark.parametrize("is_active", [True, False])
def test_taken_address_is_told_its_owner_alone(mailbox: Mailbox, is_active: bool) -> None:
    account = make_account(email=ADA, name="Ada L.", is_active=is_active, language="de")
    before = outbox_events()
    mails.do_jobs()

    register("ADA@example.org", OTHER)

    message = mails_to(mailbox, ADA)[-1]
    assert (message["Subject"], "Hallo Ada L.," in text_of(message)) == (
        "Sie haben ein Konto",
        True,
    )
    assert Account.objects.get().password == account.password
    assert outbox_events() == before
    assert not Registration.objects.exists()


def test_answer_is_alike_for_a_free_and_a_taken_address(mailbox: Mailbox) -> None:
    make_account(email=ADA)

    taken, free = register(ADA), register("bob@example.org")

    assert taken.content == free.content
    assert set(taken.headers) == set(free.headers)
    differing = {"X-Request-ID", "X-Request-Id", "Date"}
    assert {name: taken[name] for name in taken.headers if name not in differing} == {
        name: free[name] for name in free.headers if name not in differing
    }


def test_same_statements_and_hashes_whoever_has_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the time of an answer would tell who is registered."""
    make_account(email=ADA)
    make_account(email="gone@example.org", is_active=False)
    hashed: list[str] = []
    for method in ("encode", "verify"):
        monkeypatch.setattr(Argon2PasswordHasher, method, counted(method, hashed))

    def work(email: str) -> tuple[list[str], list[str]]:
        hashed.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            register(email, X_Real_IP="198.51.100.9")
        # Everything between quotes is a value.
        shapes = [re.sub(r"'[^']*'", "?", query["sql"]) for query in queries]
        return [re.sub(r"\d+", "0", shape) for shape in shapes], list(hashed)

    register("first@example.org")  # what a process does once
    statements, hashes = work("free@example.org")

    assert len(hashes) == 1
    assert len(statements) > 3
    for email in (ADA, "gone@example.org"):
        assert work(email) == (statements, hashes)


def counted(method: str, hashed: list[str]) -> Callable[..., Any]:
    hashing = getattr(Argon2PasswordHasher, method)
    return lambda *arguments: hashed.append(method) or hashing(*arguments)


def test_only_a_few_mails_an_hour_are_sent_which_nobody_is_told(mailbox: Mailbox) -> None:
    make_account(email=ADA)
    mails.do_jobs()
    seen = len(mailbox.to(ADA))

    for email in (ADA, "bob@example.org"):
        for _ in range(8):
            register(email)

    assert subjects_to(mailbox, ADA)[seen:] == [TAKEN] * 3
    assert subjects_to(mailbox, "bob@example.org") == [OPEN] * 3


def test_nobody_opens_an_account_with_a_strangers_password(ring: None, mailbox: Mailbox) -> None:
    """Mallory registers Ada's address first; Ada gets both mails, and mixes them up."""
    of_mallory = registered(mailbox, password=OTHER, X_Real_IP="198.51.100.66")
    of_ada = registered(mailbox)

    refused = nothing_is_made(lambda: confirm(of_mallory, PASSWORD))

    assert problem(refused, 403, "wrong_password")["tries_left"] == 4
    decoded(confirm(of_ada), 201)
    problem(Caller().post(TOKEN, {"email": ADA, "password": OTHER}), 401)
    problem(confirm(of_mallory, OTHER), 400, "unusable_token")
    assert Account.objects.get().name == "Ada"


def test_mail_has_nothing_that_a_stranger_wrote_u17(mailbox: Mailbox) -> None:
    name = "win at evil.example {{7*7}} <script>"
    Caller().post(USERS, {"email": ADA, "password": PASSWORD, "name": name})

    (message,) = mails_to(mailbox, ADA)

    assert text_of(message).startswith("Hello,")
    assert not any("evil" in text for text in (text_of(message), html_of(message)))
    assert "evil" not in str(message["Subject"])


def test_tries_at_the_password_are_counted(mailbox: Mailbox) -> None:
    token = registered(mailbox)

    left = [problem(confirm(token, OTHER), 403)["tries_left"] for _ in range(5)]

    assert left == [4, 3, 2, 1, 0]
    problem(nothing_is_made(lambda: confirm(token)), 400, "unusable_token")


def test_tries_at_once_are_counted_each(mailbox: Mailbox) -> None:
    token = registered(mailbox)

    statuses = at_once(*[lambda: confirm(token, OTHER).status_code] * 8)

    assert sorted(statuses) == [400] * 3 + [403] * 5


@pytest.mark.parametrize("row", ["U9 replay", "U9 expired", "U9 altered", "U9 other purpose"])
def test_token_that_is_not_usable_opens_nothing(mailbox: Mailbox, row: str) -> None:
    token = registered(mailbox)
    if row == "U9 replay":
        decoded(confirm(token), 201)
    elif row == "U9 expired":
        Registration.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif row == "U9 altered":
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    else:
        problem(mails.spend(mails.VERIFY, token), 400, "unusable_token")
        problem(mails.reset(token), 400, "unusable_token")
        make_account(email="bob@example.org")
        token = token_of(mails_to(mailbox, "bob@example.org")[-1])
    before = Account.objects.count(), outbox_events()

    answer = mails.refusal_changes_nothing(lambda: confirm(token))

    problem(answer, 400, "unusable_token")
    assert (Account.objects.count(), outbox_events()) == before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_prefetch_by_get_opens_nothing_u9(mailbox: Mailbox, method: str) -> None:
    token = registered(mailbox)

    answer = nothing_is_made(lambda: Caller().call(method, f"{CONFIRM}?token={token}"))

    assert answer.status_code in (400, 405)
    decoded(confirm(token), 201)


@pytest.mark.parametrize(
    "body",
    [{}, {"token": "x" * 43}, {"password": PASSWORD}, {"token": 7, "password": PASSWORD},
     {"token": "x" * 101, "password": PASSWORD}, {"token": "\0", "password": PASSWORD},
     {"token": "x", "password": "x" * 2000}, {"token": "x", "password": None}, [],
     {"token": "x", "password": PASSWORD, "roles": ["staff"]}],
    ids=["nothing", "no password", "no token", "number", "long", "nul", "long password", "null",
         "array", "unknown"],
)  # fmt: skip
def test_bad_confirmation_is_400(body: Any) -> None:
    problem(Caller().post(CONFIRM, body), 400)


def test_token_spent_at_once_opens_one_account(mailbox: Mailbox) -> None:
    token = registered(mailbox)

    statuses = at_once(*[lambda: confirm(token).status_code] * 4)

    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 400, 409}
    assert len(outbox_events("users.user_registered.v2")) == 1


def test_tokens_of_one_address_at_once_open_one_account(mailbox: Mailbox) -> None:
    for _ in range(3):
        register()
    tokens = [token_of(message) for message in mails_to(mailbox, ADA)]
    assert len(set(tokens)) == 3

    statuses = [answer.status_code for answer in at_once(*(partial(confirm, it) for it in tokens))]

    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 400, 409}
    assert not Registration.objects.exists()
    assert Account.objects.count() == 1


def test_address_that_was_taken_meanwhile_is_told_its_reader(mailbox: Mailbox) -> None:
    token = registered(mailbox)
    account = make_account(email=ADA, password=OTHER)

    problem(confirm(token), 409, "email_taken")

    assert Account.objects.get().password == account.password


def test_request_is_answered_once_by_two_workers(mailbox: Mailbox) -> None:
    for number in range(6):
        register(f"ada-{number}@example.org")

    at_once(*[mails.do_jobs] * 3)
    mails.do_jobs()

    assert [str(message["Subject"]) for message in mailbox.messages] == [OPEN] * 6
    stored = {bytes(digest) for digest in Registration.objects.values_list("digest", flat=True)}
    mailed = {mail_tokens.digest_of(token_of(message)) for message in mailbox.messages}
    assert mailed == stored


def test_neither_token_nor_password_is_stored(mailbox: Mailbox) -> None:
    token = registered(mailbox)
    row = Registration.objects.values().get()

    digest = bytes(row.pop("digest"))
    assert len(digest) == 32
    assert token not in str(row)
    assert PASSWORD not in str(row)
    assert check_password(PASSWORD, row["password"])


def test_expired_registrations_are_purged(mailbox: Mailbox) -> None:
    registered(mailbox)
    register("bob@example.org")
    register("eve@example.org")
    over = timezone.now() - timedelta(seconds=1)
    Registration.objects.exclude(email="eve@example.org").update(expires_at=over)

    purge.run()

    assert [each.email for each in Registration.objects.all()] == ["eve@example.org"]


def test_registration_that_fails_leaves_its_token(mailbox: Mailbox) -> None:
    """The last write fails, as it would if the outbox took no event."""
    token = registered(mailbox)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE outbox ADD CONSTRAINT refuses CHECK (type NOT LIKE '%regist%')")
    try:
        assert nothing_is_made(lambda: confirm(token)).status_code >= 500
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE outbox DROP CONSTRAINT refuses")

    decoded(confirm(token), 201)


def test_name_is_optional(mailbox: Mailbox) -> None:
    assert Caller().post(USERS, {"email": ADA, "password": PASSWORD}).status_code == 202

    account = decoded(confirm(token_of(mails_to(mailbox, ADA)[0])), 201)

    assert account["name"] == ""


def test_admins_account_is_logged_and_nobody_is_mailed(ring: None, mailbox: Mailbox) -> None:
    admin = Person(make_account(is_staff=True, email_verified=True), address="192.0.2.1")
    mails.do_jobs()
    seen = len(mailbox.messages)

    made = decoded(admin.post(ACCOUNTS, {"email": ADA, "password": PASSWORD}), 201)

    log = decoded(admin.get(f"/api/users/{made['id']}/security-events/"))["results"]
    assert [(each["kind"], each["by"]) for each in log] == [("created", str(admin.id))]
    (event,) = [each for each in outbox_events() if each["subject"] == made["id"]]
    assert event["type"] == "users.user_registered.v2"
    mails.do_jobs()
    assert len(mailbox.messages) == seen


def test_only_admins_make_accounts(ring: None) -> None:
    customer, helper = Person(), Person(make_account(roles=["support"]))
    before = Account.objects.count()
    body = {"email": ADA, "password": PASSWORD}

    problem(Caller().post(ACCOUNTS, body), 401)
    problem(customer.post(ACCOUNTS, body), 403)
    assert problem(helper.post(ACCOUNTS, body), 403)["required_roles"] == ["admin"]

    assert Account.objects.count() == before


def test_deleted_owner_may_register_anew(ring: None, mailbox: Mailbox) -> None:
    person = Person(make_account(email=ADA))
    old = person.id
    person.post(ME + "delete/", {"password": PASSWORD})

    account = decoded(confirm(registered(mailbox)), 201)

    assert account["id"] != str(old)


def test_services_refuse_as_the_api_does(mailbox: Mailbox) -> None:
    registration.ask(email=ADA, password=PASSWORD, source="192.0.2.1")
    accounts.register(email=ADA, password=PASSWORD, is_asked_to_verify=False)

    assert registration.answer_next()
    assert not registration.answer_next()
