"""Each request has an id and a trace, an access line and a measure."""

import logging
import re
from typing import Any

import pytest
from prometheus_client import REGISTRY

from servicekit import context
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from tests.project.views import Failing

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="access")
    return caplog


def access_lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "access"]


def measured(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("souk_http_request_seconds_count", labels) or 0.0


def series() -> int:
    return sum(
        len(metric.samples)
        for metric in REGISTRY.collect()
        if metric.name == "souk_http_request_seconds"
    )


@pytest.mark.parametrize(
    "sent",
    [
        "a",
        "Az09._-",
        "x" * 64,
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
        "0af7651916cd43dd8448eb211c80319c",
    ],
)
def test_well_formed_request_id_is_kept(nobody: Caller, sent: str) -> None:
    answer = nobody.get("/nowhere/", X_Request_ID=sent)

    assert answer["X-Request-ID"] == sent
    assert problem(answer, 404)["request_id"] == sent


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "x" * 65,
        "x" * 10_000,
        "a b",
        "a\nb",
        "a\n",
        "<b>",
        "é",
        "${jndi:ldap://x}",
        "\x1b[31m",
        "a;b",
        "a,b",
        "a/b",
        '"',
        "a\0",
    ],
)
def test_ill_formed_request_id_is_replaced(nobody: Caller, sent: str) -> None:
    answer = nobody.get("/nowhere/", X_Request_ID=sent)

    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])
    assert problem(answer, 404)["request_id"] == answer["X-Request-ID"]


def test_each_request_without_an_id_gets_its_own(nobody: Caller) -> None:
    ids = {nobody.get("/open/")["X-Request-ID"] for _ in range(10)}

    assert len(ids) == 10


def test_context_holds_during_the_request_only(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append((context.request_id.get(), context.traceparent.get()))
        raise ValueError("even when it fails")

    monkeypatch.setattr(Failing, "fail", staticmethod(look), raising=False)

    nobody.get("/failing/", X_Request_ID="the-id", traceparent=TRACE)

    assert seen == [("the-id", TRACE)]
    assert (context.request_id.get(), context.traceparent.get()) == (None, None)


@pytest.mark.parametrize(
    "sent",
    [
        "", "rubbish", TRACE.upper(), TRACE[:-1], TRACE + "0", TRACE + "\n", f"{TRACE}-x",
        f" {TRACE}", "ff" + TRACE[2:], "01" + TRACE[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "00-" + "x" * 32 + TRACE[35:],
    ],
)  # fmt: skip
def test_ill_formed_trace_is_dropped(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    """W3C Trace Context, 3.2.2: a trace or span of nothing but zeros is none."""
    seen: list[Any] = []
    look = staticmethod(lambda: seen.append(context.traceparent.get()))
    monkeypatch.setattr(Failing, "fail", look, raising=False)

    nobody.get("/failing/", traceparent=sent)

    assert seen == [None]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("test_keys")
def test_trace_goes_on_in_the_events(nobody: Caller) -> None:
    decoded(Caller("customer").post("/place/one/", {}, traceparent=TRACE), 201)

    assert OutboxEvent.objects.get().traceparent == TRACE


def test_request_is_logged_once(nobody: Caller, lines: pytest.LogCaptureFixture) -> None:
    nobody.get("/open/?token=hunter2")

    (line,) = access_lines(lines)
    said = line.__dict__
    assert (said["method"], said["path"], said["status"]) == ("GET", "/open/", 400)
    assert 0 <= said["milliseconds"] < 60_000
    assert "hunter2" not in str(said)


def test_long_path_is_cut_off_in_the_log(nobody: Caller, lines: pytest.LogCaptureFixture) -> None:
    nobody.get("/" + "x" * 5000)

    assert len(access_lines(lines)[0].__dict__["path"]) == 500


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/metrics"])
def test_probe_is_neither_logged_nor_measured(
    nobody: Caller, lines: pytest.LogCaptureFixture, path: str
) -> None:
    before = series()

    assert nobody.get(path).status_code == 200

    assert access_lines(lines) == []
    assert series() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [("GET", "/open/", "open/", 200), ("GET", "/private/", "private/", 401),
    ("GET", "/nowhere/", "unmatched", 404),
     ("POST", "/place/7/", "place/<str:shelf>/", 401), ("DELETE", "/open/", "open/", 405)],
)  # fmt: skip
def test_request_is_measured_by_its_route(
    nobody: Caller, method: str, path: str, route: str, status: int
) -> None:
    before = measured(method, route, status)

    nobody.call(method, path)

    assert measured(method, route, status) == before + 1


def test_failure_is_measured(nobody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("x")

    monkeypatch.setattr(Failing, "fail", staticmethod(fail), raising=False)
    before = measured("GET", "failing/", 500)

    nobody.get("/failing/")

    assert measured("GET", "failing/", 500) == before + 1


def test_strangers_cannot_grow_the_measures(nobody: Caller) -> None:
    """Every new value of a label is kept for ever."""
    nobody.call("INVENTED", "/nowhere/")
    nobody.get("/nowhere/")
    before = series()

    for n in range(20):
        nobody.call(f"INVENTED{n}", "/nowhere/")
        nobody.get(f"/nowhere/{n}/")

    assert series() == before


@pytest.mark.django_db
def test_metrics_are_shown_to_prometheus(nobody: Caller) -> None:
    nobody.get("/open/")

    answer = nobody.get("/metrics")

    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'souk_http_request_seconds_count{method="GET",route="open/",status="200"}' in text
    assert "souk_outbox_unsent 0.0" in text
