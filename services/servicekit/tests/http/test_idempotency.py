"""Idempotency-Key: one effect and one answer for each key, whatever happens in between."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.http import idempotency
from servicekit.http.idempotency import Answer, IdempotencyKeyReused, IdempotentRequest
from servicekit.models import IdempotencyKey, OutboxEvent
from servicekit.operations import purge
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("test_keys")]
PLACE = "/place/one/"


@pytest.fixture
def customer(test_keys: None) -> Caller:
    return Caller("customer")


def effects() -> int:
    return OutboxEvent.objects.count()


def request_with(
    key: str = "key", body: bytes = b"{}", caller: UUID | None = None
) -> IdempotentRequest:
    return IdempotentRequest(caller or UUID(int=7), "place", key, hashlib.sha256(body).digest())


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def test_same_request_again_gets_the_first_answer(customer: Caller) -> None:
    first = customer.post(PLACE, {"a": 1}, Idempotency_Key="key")

    again = customer.post(PLACE, {"a": 1}, Idempotency_Key="key")

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Location"] == first["Location"] == "/1/"
    assert again["Content-Type"] == first["Content-Type"]
    assert effects() == 1


def test_only_the_replay_is_marked(customer: Caller) -> None:
    first = customer.post(PLACE, {}, Idempotency_Key="key")

    again = customer.post(PLACE, {}, Idempotency_Key="key")

    assert not first.has_header(idempotency.REPLAYED)
    assert again[idempotency.REPLAYED] == "true"


def test_request_without_a_key_has_its_effect_each_time(customer: Caller) -> None:
    for _ in range(2):
        decoded(customer.post(PLACE, {}), 201)

    assert effects() == 2
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b'{"a":1,"b":[1,{"c":2,"d":3}]}', b'{ "b": [1, {"d": 3, "c": 2}],\n "a": 1 }'),
        (b'{"a":"\xc3\xa9"}', b'{"a":"\\u00e9"}'),
        (b"", b""),
    ],
    ids=["order and blanks", "escapes", "empty"],
)
def test_same_body_in_other_words_is_the_same_request(
    customer: Caller, first: bytes, again: bytes
) -> None:
    customer.call("POST", PLACE, raw=first, Idempotency_Key="key")

    answer = customer.call("POST", PLACE, raw=again, Idempotency_Key="key")

    assert answer[idempotency.REPLAYED] == "true"
    assert effects() == 1


@pytest.mark.parametrize(
    "other",
    [
        b'{"a":2}',
        b'{"a":"1"}',
        b'{"a":1.0}',
        b'{"a":true}',
        b'{"a":1,"b":null}',
        b'{"A":1}',
        b"{}",
        b"[1]",
        b'["a",1]',
    ],
)
def test_key_with_another_body_is_refused(customer: Caller, other: bytes) -> None:
    customer.call("POST", PLACE, raw=b'{"a":1}', Idempotency_Key="key")

    answer = customer.call("POST", PLACE, raw=other, Idempotency_Key="key")

    problem(answer, 422, "idempotency_key_reused")
    assert effects() == 1


def test_key_with_another_path_is_refused(customer: Caller) -> None:
    customer.post("/place/one/", {}, Idempotency_Key="key")

    problem(customer.post("/place/two/", {}, Idempotency_Key="key"), 422, "idempotency_key_reused")

    assert effects() == 1


def test_refused_key_still_answers_the_first_request(customer: Caller) -> None:
    first = customer.post(PLACE, {"a": 1}, Idempotency_Key="key")
    customer.post(PLACE, {"a": 2}, Idempotency_Key="key")

    assert customer.post(PLACE, {"a": 1}, Idempotency_Key="key").content == first.content


@pytest.mark.parametrize("number", [2**63, 2**64, 10**30, 1e300])
def test_number_of_any_size_is_no_failure(customer: Caller, number: float) -> None:
    """What is too large is the business of the view's serializer, not of the key."""
    for _ in range(2):
        decoded(customer.post(PLACE, {"a": number}, Idempotency_Key="key"), 201)

    problem(
        customer.post(PLACE, {"a": number * 2}, Idempotency_Key="key"),
        422,
        "idempotency_key_reused",
    )
    assert effects() == 1


def test_keys_of_two_callers_are_two(customer: Caller) -> None:
    stranger = Caller("customer")
    mine = customer.post(PLACE, {"a": 1}, Idempotency_Key="key")

    theirs = stranger.post(PLACE, {"a": 2}, Idempotency_Key="key")

    assert decoded(theirs, 201) != decoded(mine, 201)
    assert effects() == 2


def test_keys_of_two_operations_are_two() -> None:
    ours, other = request_with(), IdempotentRequest(UUID(int=7), "cancel", "key", b"other")

    with transaction.atomic():
        assert (ours.claim(), other.claim()) == (None, None)


@pytest.mark.parametrize(
    "key", ["k", "k" * 255, "!~\"'\\;,", "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
def test_visible_ascii_is_a_key(customer: Caller, key: str) -> None:
    for _ in range(2):
        decoded(customer.post(PLACE, {}, Idempotency_Key=key), 201)

    assert effects() == 1


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        "k" * 256,
        "k" * 10_000,
        "two words",
        "tab\t",
        "é",
        "ключ",
        "nul\0",
        "del\x7f",
        "line\n",
        "\u2028",
    ],
)
def test_bad_key_is_refused_before_the_effect(customer: Caller, key: str) -> None:
    answer = customer.post(PLACE, {}, Idempotency_Key=key)

    problem(answer, 400, "invalid_idempotency_key")
    assert effects() == 0


def test_failure_frees_the_key(customer: Caller) -> None:
    problem(customer.post(PLACE, {"fail": True}, Idempotency_Key="key"), 500, "internal_error")
    assert not IdempotencyKey.objects.exists()

    answer = customer.post(PLACE, {"a": 1}, Idempotency_Key="key")

    assert not answer.has_header(idempotency.REPLAYED)
    decoded(answer, 201)
    assert effects() == 1


def test_twins_at_once_have_one_effect(customer: Caller) -> None:
    together = threading.Barrier(12)

    def post() -> Any:
        together.wait(10)
        return in_thread(lambda: customer.post(PLACE, {"a": 1}, Idempotency_Key="key"))

    with ThreadPoolExecutor(12) as threads:
        answers = [future.result(30) for future in [threads.submit(post) for _ in range(12)]]

    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, answers[0].content)
    }
    assert sum(not answer.has_header(idempotency.REPLAYED) for answer in answers) == 1
    assert effects() == 1


def test_twin_waits_for_the_first_answer() -> None:
    def twin() -> Answer | None:
        with transaction.atomic():
            return request_with().claim()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            assert request_with().claim() is None
            later = threads.submit(in_thread, twin)
            wait_until(somebody_waits_for_a_lock)
            request_with().store(status=201, body={"b": 1}, headers={"Location": "/1/"})
        replay = later.result(10)

    assert replay == Answer(201, {"b": 1}, {"Location": "/1/"}, is_replay=True)


def test_twin_goes_ahead_when_the_first_fails() -> None:
    def twin() -> Answer | None:
        with transaction.atomic():
            return request_with().claim()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            assert request_with().claim() is None
            later = threads.submit(in_thread, twin)
            wait_until(somebody_waits_for_a_lock)
            transaction.set_rollback(True)
        replay = later.result(10)

    assert replay is None


def test_twin_with_another_body_is_refused_once_the_first_is_done() -> None:
    def twin() -> Answer | None:
        with transaction.atomic():
            return request_with(body=b"other").claim()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            request_with().claim()
            later = threads.submit(in_thread, twin)
            wait_until(somebody_waits_for_a_lock)
            request_with().store(status=201, body={})

        with pytest.raises(IdempotencyKeyReused):
            later.result(10)


@pytest.mark.parametrize(
    "body", [None, [], {}, "text", 1.5, {"z": 1, "a": [None, True, "é\u2028"]}, {"total": "1.10"}]
)
def test_any_body_comes_back_as_it_was(body: Any) -> None:
    with transaction.atomic():
        request_with().claim()
        request_with().store(status=200, body=body)

    with transaction.atomic():
        replay = request_with().claim()

    assert replay == Answer(200, body, {}, is_replay=True)
    assert repr(replay.body) == repr(body)


def test_old_keys_are_purged() -> None:
    now = timezone.now()
    for age in (
        timedelta(days=8),
        timedelta(days=7, seconds=60),
        timedelta(days=7, seconds=-60),
        timedelta(),
    ):
        IdempotencyKey.objects.create(
            caller=uuid7(), operation="place", key=str(age), request_hash=b"", status=201,
            body=b"{}", created_at=now - age
        )  # fmt: skip

    purge.run()

    assert {row.key for row in IdempotencyKey.objects.all()} == {"6 days, 23:59:00", "0:00:00"}


def test_purged_key_is_new(customer: Caller) -> None:
    customer.post(PLACE, {}, Idempotency_Key="key")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=8))
    purge.run()

    answer = customer.post(PLACE, {"a": 2}, Idempotency_Key="key")

    assert not answer.has_header(idempotency.REPLAYED)
    assert effects() == 2


def test_caller_that_is_forgotten_leaves_the_keys_of_others(customer: Caller) -> None:
    other = Caller("customer")
    for each in (customer, other):
        each.post(PLACE, {}, Idempotency_Key="key")

    idempotency.forget_caller(customer.id)
    idempotency.forget_caller(customer.id)

    assert IdempotencyKey.objects.get().caller == other.id
