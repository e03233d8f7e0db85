"""What waits in the database shows in readiness and in the metrics."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.models import DeadLetter, OutboxEvent
from servicekit.operations import health
from servicekit.testing.client import Caller
from tests.operations.helpers import ready

pytestmark = pytest.mark.django_db(transaction=True)


def event(age_seconds: float, **overrides: Any) -> None:
    OutboxEvent.objects.create(
        id=uuid7(), type="t", subject="s", sequence=1, data=b"",
        created_at=timezone.now() - timedelta(seconds=age_seconds), **overrides,
    )  # fmt: skip


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize(
    ("age_seconds", "overrides", "status"),
    [
        (health.OLD_EVENT_SECONDS - 10, {}, "ready"),
        (health.OLD_EVENT_SECONDS + 10, {}, "degraded"),
        (86_400, {"sent_at": timezone.now()}, "ready"),
        (86_400, {"parked_at": timezone.now(), "discarded_at": timezone.now()}, "ready"),
    ],
    ids=["young", "old", "sent", "discarded"],
)
def test_old_unsent_event_is_a_sign_of_trouble(
    age_seconds: float, overrides: dict[str, Any], status: str
) -> None:
    event(age_seconds, **overrides)

    body = ready()

    assert body["status"] == status
    assert ("is the relay running?" in body["checks"]["outbox"]) is (status == "degraded")


@pytest.mark.usefixtures("all_alive")
def test_parked_event_wants_attention() -> None:
    event(1, parked_at=timezone.now())

    body = ready()

    assert body["status"] == "degraded"
    assert body["checks"]["outbox"] == "1 parked: `make outbox` lists them"
    assert "souk_outbox_parked 1.0" in Caller().get("/metrics").content.decode()


@pytest.mark.usefixtures("all_alive")
def test_event_that_the_broker_refuses_is_named_with_its_reason() -> None:
    event(health.OLD_EVENT_SECONDS + 10, attempts=3, last_error="no queue takes it")

    assert "no queue takes it" in ready()["checks"]["outbox"]


def letter(state: str) -> None:
    DeadLetter.objects.create(
        queue="q",
        reason="r",
        body=b"",
        fingerprint=uuid7().bytes,
        received_at=timezone.now(),
        state=state,
    )


@pytest.mark.usefixtures("all_alive")
def test_waiting_dead_letters_want_attention() -> None:
    for state in ("waiting", "waiting", "waiting", "redriven", "discarded"):
        letter(state)

    body = ready(200)

    assert body["status"] == "degraded"
    assert body["checks"]["dead_letters"] == "3 wait: `make deadletters` lists them"


@pytest.mark.usefixtures("all_alive")
def test_settled_dead_letters_want_none() -> None:
    letter("redriven")

    assert ready()["status"] == "ready"


def test_metrics_count_what_waits() -> None:
    event(100)
    event(10)
    event(500, sent_at=timezone.now())

    lines = dict(
        line.rsplit(" ", 1)
        for line in Caller().get("/metrics").content.decode().splitlines()
        if line[0] != "#"
    )

    assert float(lines["souk_outbox_unsent"]) == 2
    assert 99 < float(lines["souk_outbox_oldest_age_seconds"]) < 200
    assert float(lines["souk_dead_letters_waiting"]) == 0
