"""A request is answered although a column's type changed, or the server went, while it ran."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from servicekit.messaging import topology
from servicekit.messaging.publisher import Message, Publisher
from servicekit.models import DeadLetter
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import make_delivery
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder, consuming
from tests.project.consumed import OrderPlaced
from tests.project.views import BasketWrite, Failing

pytestmark = pytest.mark.django_db(transaction=True)
READ = "SELECT code FROM shelf WHERE id = %s"
WRITE = "INSERT INTO shelf VALUES (%s, 7)"
BOTH = pytest.mark.parametrize("path", ["/failing/", "/plain/"])


def execute(statement: str, parameters: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def change_type(name: str = "text") -> None:
    """In a session of its own, as a migration is."""
    with psycopg.connect(
        os.environ["TEST_DATABASE_URL"], dbname=connection.settings_dict["NAME"]
    ) as other:
        other.execute(f"ALTER TABLE shelf ALTER COLUMN code TYPE {name} USING code::{name}")


@pytest.fixture(autouse=True)
def shelf() -> Iterator[None]:
    """A table whose reads this session has prepared."""
    execute("DROP TABLE IF EXISTS shelf")
    execute("CREATE TABLE shelf (id int PRIMARY KEY, code int)")
    for _ in range(5):
        execute(READ, [0])
    yield
    connection.close()
    execute("DROP TABLE shelf")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[int]]:
    """Say what the views do; the list grows with each of their runs."""

    def choose(work: Callable[[], object]) -> list[int]:
        seen: list[int] = []

        def run() -> None:
            seen.append(len(seen))
            work()

        monkeypatch.setattr(Failing, "fail", staticmethod(run), raising=False)
        return seen

    return choose


def write_then_read() -> None:
    with transaction.atomic():
        execute(WRITE, [1])
        execute(READ, [1])


@BOTH
def test_request_runs_again_after_a_column_changed_its_type(runs: Any, path: str) -> None:
    seen = runs(write_then_read)
    change_type()

    answer = Caller().get(path)

    assert answer.status_code == 200
    assert len(seen) == 2
    assert execute("SELECT id FROM shelf") == [(1,)]


@BOTH
def test_request_that_has_committed_does_not_run_again(runs: Any, path: str) -> None:
    def work() -> None:
        with transaction.atomic():
            execute(WRITE, [1])
        with transaction.atomic():
            execute(READ, [1])

    seen = runs(work)
    change_type()

    answer = Caller().get(path)

    problem(answer, 503, "service_unavailable")
    assert answer["Retry-After"]
    assert len(seen) == 1
    assert execute("SELECT id FROM shelf") == [(1,)]
    execute("DELETE FROM shelf")
    assert Caller().get(path).status_code == 200


@BOTH
def test_request_runs_again_only_once(runs: Any, path: str) -> None:
    def end_session() -> None:
        with transaction.atomic():
            execute("SELECT pg_terminate_backend(pg_backend_pid())")

    seen = runs(end_session)

    problem(Caller().get(path), 503, "service_unavailable")

    assert len(seen) == 2


@BOTH
def test_refusal_of_the_second_run_is_the_answer(runs: Any, path: str) -> None:
    def work() -> None:
        with transaction.atomic():
            execute(READ, [1])
        raise PermissionError("of what")

    seen = runs(work)
    change_type()

    problem(Caller().get(path), 500, "internal_error")

    assert len(seen) == 2


@BOTH
def test_request_of_a_session_on_a_standby_is_answered_by_the_new_server(
    runs: Any, path: str
) -> None:
    runs(write_then_read)
    execute("SET default_transaction_read_only = on")

    assert Caller().get(path).status_code == 200

    assert execute("SELECT id FROM shelf") == [(1,)]


def test_second_run_reads_the_same_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(_basket: BasketWrite, members: dict[str, Any]) -> dict[str, Any]:
        write_then_read()
        return members

    monkeypatch.setattr(BasketWrite, "validate", validate)
    change_type()
    body = {"lines": [{"product": "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59", "quantity": 3}]}

    assert decoded(Caller().post("/basket/", body))["lines"][0]["quantity"] == 3
    assert execute("SELECT id FROM shelf") == [(1,)]


def test_batch_is_handled_although_a_column_changed_its_type(
    broker_url: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.fail = lambda _order_id: execute(READ, [1])  # type: ignore[assignment]
    publisher = Publisher(broker_url)

    def send(key: int) -> None:
        event = make_delivery(OrderPlaced.type, {"order_id": f"order-{key}"})
        redrive = topology.redrive_name("products")
        message = Message(key, redrive, QUEUE, event.body, event.headers, "application/json")
        assert not publisher.publish([message]).refused
        wait_until(lambda: f"order-{key}" in recorder.handled)

    with consuming(recorder, broker_url):
        for key in range(6):
            send(key)
        change_type()
        send(6)
    publisher.close()

    assert not [line for line in caplog.messages if "failed" in line or "waits" in line]
    assert not DeadLetter.objects.exists()
