"""Logs: JSON lines that say what they belong to, and never a secret."""

import io
import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from servicekit import context
from servicekit.operations import logs
from servicekit.testing.tokens import make_token

EVENT_ID = UUID("018f0000-0000-7000-8000-000000000001")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Log = Callable[..., dict[str, Any]]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("souk.test")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture
def written(logger: logging.Logger) -> io.StringIO:
    """Where the logger writes, as a service's settings would have it write."""
    configuration = logging.config.DictConfigurator(logs.logging("orders"))  # type: ignore[attr-defined]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        configuration.configure_formatter(configuration.config["formatters"]["json"])
    )
    logger.addHandler(handler)
    return stream


@pytest.fixture
def log(logger: logging.Logger, written: io.StringIO) -> Log:
    """Log one line and return its members."""

    def run(message: str, *arguments: object, **options: Any) -> dict[str, Any]:
        before = len(written.getvalue())
        logger.log(options.pop("level", logging.INFO), message, *arguments, **options)
        text = written.getvalue()[before:]
        assert text.count("\n") == 1
        line: dict[str, Any] = json.loads(text)
        return line

    return run


def test_line_says_what_when_and_where(log: Log) -> None:
    line = log("placed %s", 7, extra={"units": 3, "total": "1.10"})

    assert line["event"] == "placed 7"
    assert (line["level"], line["logger"], line["service"]) == ("info", "souk.test", "orders")
    assert (line["units"], line["total"]) == (3, "1.10")
    assert line["time"].endswith("Z")


def test_line_outside_any_work_names_none(log: Log) -> None:
    assert not log("idle").keys() & {"request_id", "traceparent", "cause"}


def test_line_names_its_request_and_trace(log: Log) -> None:
    tokens = context.request_id.set("the-request"), context.traceparent.set(TRACE)

    line = log("working")

    context.request_id.reset(tokens[0])
    context.traceparent.reset(tokens[1])
    assert (line["request_id"], line["traceparent"]) == ("the-request", TRACE)


def test_line_names_the_event_it_is_caused_by(log: Log) -> None:
    with context.handling(event_id=EVENT_ID, trace=TRACE):
        line = log("handled")

    assert (line["cause"], line["traceparent"]) == (str(EVENT_ID), TRACE)


def test_members_of_the_line_itself_win(log: Log) -> None:
    with context.handling(event_id=EVENT_ID, trace=None):
        assert log("x", extra={"cause": "mine"})["cause"] == "mine"


@pytest.mark.parametrize(
    "name",
    ["password", "Password", "new_password", "passwd", "token", "refresh_token", "access_tokens",
    "secret", "SECRET_KEY", "client_secret",
     "authorization", "Authorization", "proxy_authorization", "cookie", "Set-Cookie", "key",
     "api_key", "idempotency_key"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", ["hunter2"], 4711, b"hunter2"], ids=repr)
def test_secret_is_known_by_its_name(log: Log, name: str, value: object) -> None:
    line = log(
        "x", extra={name: value, "nested": {"deeper": {name: value}}, "listed": [{name: value}]}
    )

    assert line[name] == logs.REDACTED
    assert "hunter2" not in json.dumps(line)
    assert "4711" not in json.dumps(line)


@pytest.mark.parametrize("name", ["path", "monkey", "keyboard", "passenger", "units", "key_count"])
def test_what_is_no_secret_is_shown(log: Log, name: str) -> None:
    assert log("x", extra={name: "shown"})[name] == "shown"


def test_empty_secret_is_shown_to_be_empty(log: Log) -> None:
    assert log("x", extra={"password": None})["password"] is None


SHAPES = {
    "token": make_token,
    "bearer": lambda: f"Authorization: Bearer {make_token()}",
    "two tokens": lambda: f"{make_token()} and {make_token()}",
    "database": lambda: "postgres://souk:hunter2@db:5432/orders is away",
    "broker": lambda: "amqp://souk:hunter2@broker:5672//",
    "redis": lambda: "redis://:hunter2@cache:6379/0",
    "token of a mail": lambda: "<WSGIRequest: POST '/x/?a=1&token=hunter2'>",
    "odd password": lambda: "amqp://souk:hunter2:x%2Fy@broker",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "written_as",
    [
        lambda log, secret: log(secret),
        lambda log, secret: log("about %s", secret),
        lambda log, secret: log("x", extra={"about": secret}),
        lambda log, secret: log("x", extra={"about": {"deeper": [secret, (secret,)]}}),
        lambda log, secret: log("x", extra={"about": {secret: 1}}),
        lambda log, secret: log("x", extra={"error": ValueError(secret)}),
        lambda log, secret: log("x", extra={"raw": secret.encode()}),
    ],
    ids=["message", "argument", "member", "list", "name", "error", "bytes"],
)
def test_secret_is_known_by_its_shape(
    log: Log, shape: str, written_as: Callable[[Log, str], dict[str, Any]]
) -> None:
    secret = SHAPES[shape]()

    text = json.dumps(written_as(log, secret))

    assert "hunter2" not in text
    assert "eyJ" not in text
    assert logs.REDACTED in text


@pytest.mark.parametrize(
    "text",
    [
        "http://users:8000/.well-known/jwks.json",
        "a@b.example",
        "12:34:56",
        "eyJ is how tokens begin",
        "x://y@z",
    ],
)
def test_what_resembles_no_secret_is_shown(log: Log, text: str) -> None:
    assert log(text)["event"] == text


def fail_with(password: str) -> None:
    local_variable = password + "!"
    raise ValueError(f"bad length {len(local_variable)}")


def test_traceback_is_one_member_without_local_variables(log: Log) -> None:
    try:
        fail_with("".join(["hun", "ter2"]))
    except ValueError:
        line = log("failed", exc_info=True, level=logging.ERROR)

    assert line["level"] == "error"
    assert "ValueError: bad length 8" in line["exception"]
    assert "in fail_with" in line["exception"]
    assert "hunter2" not in json.dumps(line)


def test_secret_in_a_traceback_is_hidden(log: Log) -> None:
    token = make_token()

    def connect() -> None:
        raise RuntimeError("no broker") from ConnectionError(
            f"amqp://souk:hunter2@broker refused {token}"
        )

    try:
        connect()
    except RuntimeError:
        line = log("failed", exc_info=True)

    assert "no broker" in line["exception"]
    assert "hunter2" not in json.dumps(line)
    assert token not in json.dumps(line)


@pytest.mark.parametrize(
    "text",
    ['two\nlines {"level": "error"}', "\r\x1b[31mred", "a\0b", '"', "\u2028", "\ud800", "é"],
    ids=ascii,
)
def test_nothing_in_a_line_breaks_out_of_it(log: Log, text: str) -> None:
    line = log("about %s", text, extra={"member": text})

    assert line["event"] == f"about {text}"
    assert line["member"] == text
    assert line["level"] == "info"


def test_what_json_does_not_know_is_written_all_the_same(log: Log) -> None:
    class Odd:
        def __repr__(self) -> str:
            return "<odd>"

    line = log("x", extra={"odd": Odd(), "id": EVENT_ID, "set": {1}, "nested": [Odd()]})

    assert line["odd"] == "<odd>"
    assert str(EVENT_ID) in line["id"]
    assert line["nested"] == ["<odd>"]


def test_service_logs_json_on_standard_output() -> None:
    program = """
import logging, logging.config, sys
from servicekit.operations import logs
logging.config.dictConfig(logs.logging("orders"))
logging.getLogger("orders.services").info("placed", extra={"password": "hunter2"})
logging.getLogger("orders.services").debug("not shown")
"""

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    (line,) = [json.loads(text) for text in run.stdout.splitlines()]
    assert (line["event"], line["password"], line["service"]) == ("placed", logs.REDACTED, "orders")
    assert run.stderr == ""
