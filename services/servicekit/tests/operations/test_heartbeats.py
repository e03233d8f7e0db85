"""Heartbeats: processes without a port show that they run."""

import time

import pytest
from uuid_utils.compat import uuid7

from servicekit.models import Heartbeat
from servicekit.operations import heartbeats
from servicekit.testing.fixtures import SetKit
from tests.operations.helpers import beat, ready

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("age_seconds", "status"),
    [
        (heartbeats.STALE_AFTER_SECONDS - 5, "ready"),
        (heartbeats.STALE_AFTER_SECONDS + 5, "degraded"),
    ],
)
def test_process_without_a_sign_of_life_is_missed(age_seconds: float, status: str) -> None:
    beat("relay")
    beat("consumer", age_seconds=age_seconds)

    body = ready()

    assert body["status"] == status
    assert ("consumer" in body["checks"]["processes"]) is (status == "degraded")
    assert "relay" not in body["checks"]["processes"]


def test_process_that_never_started_is_missed() -> None:
    assert "relay, consumer" in ready()["checks"]["processes"]


def test_expected_processes_are_named_in_settings(set_kit: SetKit) -> None:
    set_kit(expected_processes=("worker",))
    beat("relay", "consumer")

    assert "worker" in ready()["checks"]["processes"]


def test_beat_is_a_sign_of_life() -> None:
    process = f"test-{uuid7()}"
    assert heartbeats.stale([process])

    heartbeats.beat(process)

    assert heartbeats.stale([process]) == []


def test_beats_are_written_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    process, now = f"test-{uuid7()}", time.monotonic()
    moments = []
    for ahead in (0.0, 1.0, 1.9, 2.1):
        monkeypatch.setattr(time, "monotonic", lambda ahead=ahead: now + ahead)
        heartbeats.beat(process)
        moments.append(Heartbeat.objects.get(process=process).beat_at)

    assert moments[0] == moments[1] == moments[2] < moments[3]


@pytest.mark.django_db
def test_beat_leaves_a_sign_for_the_health_check(tmp_path, monkeypatch):
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    started = time.time()

    heartbeats.beat(f"relay-{started}")

    assert (tmp_path / f"relay-{started}").stat().st_mtime >= started - 1


def test_touch_without_a_folder_does_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("HEARTBEAT_DIR", raising=False)
    monkeypatch.chdir(tmp_path)

    heartbeats.touch("relay")

    assert list(tmp_path.iterdir()) == []
