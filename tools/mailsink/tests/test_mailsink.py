"""Mails that are sent to the sink can be read there, and nowhere else."""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailsink import page, receiver, store
from mailsink.store import Store

ADA, BOB = "ada@example.org", "bob@example.org"


class Sink:
    """A running sink."""

    def __init__(self, smtp: int, web: int) -> None:
        self.smtp, self.web = smtp, web

    def send(
        self, to: str = ADA, subject: str = "Hello", text: str = "A text\n", **more: Any
    ) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "souk@localhost", to, subject
        message.set_content(text)
        if "html" in more:
            message.add_alternative(more["html"], subtype="html")
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=10) as server:
            server.send_message(message)

    def call(self, method: str, path: str, host: str = "localhost") -> tuple[int, str, Any]:
        url = f"http://127.0.0.1:{self.web}{path}"
        request = urllib.request.Request(url, method=method, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def mails(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.call("GET", f"/api/mails/{query}")[1])[
            "mails"
        ]
        return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def sink() -> Iterator[Sink]:
    kept, port = Store(), free_port()
    controller = receiver.start(kept, "127.0.0.1", port)
    with page.server(kept, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Sink(port, server.server_address[1])
        server.shutdown()
        thread.join()
    controller.stop()


def test_mail_is_listed_newest_first_and_shown(sink: Sink) -> None:
    sink.send(subject="First")
    sink.send(to=BOB, subject="Grüße", text="Über alles\n", html="<p>Über</p>")

    newest, oldest = sink.mails()
    status, text, _ = sink.call("GET", f"/api/mails/{newest['id']}/")

    assert (newest["subject"], newest["recipients"], newest["sender"]) == (
        "Grüße",
        [BOB],
        "souk@localhost",
    )
    assert oldest["subject"] == "First"
    assert status == 200
    shown = json.loads(text)
    assert (shown["text"], shown["html"].strip()) == ("Über alles\n", "<p>Über</p>")


def test_mails_are_listed_by_recipient(sink: Sink) -> None:
    sink.send(to=ADA)
    sink.send(to=BOB)

    assert [mail["recipients"] for mail in sink.mails("?recipient=Ada@example.org")] == [[ADA]]


def test_people_read_the_mail_as_text(sink: Sink) -> None:
    sink.send(subject="<b>Hi</b>", text="<script>alert(1)</script>\n")
    number = sink.mails()[0]["id"]

    pages = [sink.call("GET", path) for path in ("/", f"/mails/{number}")]

    assert [status for status, *_ in pages] == [200, 200]
    assert all("&lt;b&gt;Hi" in text for _, text, _ in pages)
    assert "&lt;script&gt;" in pages[1][1]
    assert not any("<script>" in text for _, text, _ in pages)
    assert pages[1][2]["Cache-Control"] == "no-store"
    assert "default-src 'none'" in pages[1][2]["Content-Security-Policy"]


def test_all_mails_are_deleted(sink: Sink) -> None:
    sink.send()

    assert sink.call("DELETE", "/api/mails/")[0] == 204
    assert sink.mails() == []


@pytest.mark.parametrize("path", ["/api/mails/7/", "/mails/7", "/mails/", "/x", "/api/mails/-1/"])
def test_what_is_not_there_is_404(sink: Sink, path: str) -> None:
    assert sink.call("GET", path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "mail"])
def test_name_of_another_site_gets_nothing(sink: Sink, host: str) -> None:
    sink.send()

    status, text, _ = sink.call("GET", "/api/mails/", host)

    assert (status, ADA in text) == (421, False)
    assert sink.call("DELETE", "/api/mails/", host)[0] == 404
    assert len(sink.mails()) == 1


def test_mail_that_is_too_large_is_refused(sink: Sink) -> None:
    with pytest.raises(smtplib.SMTPException):
        sink.send(text="x" * 70 + "\n" + ("y" * 70 + "\n") * 20_000)

    assert sink.mails() == []


@pytest.mark.parametrize(("limit", "value"), [("MAX_MAILS", 3), ("MAX_BYTES", 1000)])
def test_store_drops_the_oldest(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(store, limit, value)
    kept = Store()

    for _ in range(10):
        kept.add(sender="", recipients=[ADA], content=b"Subject: x\n\n" + b"y" * 300)

    assert [mail.id for mail in kept.newest_first()] == [10, 9, 8]
    assert kept.get(1) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Content-Type: text/plain; charset=none-such\n\n\xff",
        b"Subject: =?utf-8?b?/////w==?=\n\nx",
        b"Content-Type: multipart/mixed\n\nx",
    ],
)
def test_odd_mail_is_kept(content: bytes) -> None:
    kept = Store()

    mail = kept.add(sender="", recipients=[ADA], content=content)

    assert kept.get(mail.id) == mail
    page.mail_page(mail)
    page.list_page([mail])


def test_sink_ends_when_it_is_told() -> None:
    program = Path(page.__file__).parent
    listen = {name: f"127.0.0.1:{free_port()}" for name in ("MAIL_SINK_SMTP", "MAIL_SINK_PAGE")}
    with subprocess.Popen(
        [sys.executable, str(program)], env={**os.environ, **listen}, stdout=subprocess.PIPE
    ) as sink:
        assert sink.stdout is not None
        assert listen["MAIL_SINK_PAGE"] in sink.stdout.readline().decode()
        sink.send_signal(signal.SIGTERM)

        assert sink.wait(timeout=20) == 0


def test_sink_without_an_address_says_so() -> None:
    program = str(Path(page.__file__).parent)

    done = subprocess.run(
        [sys.executable, program], env={}, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "MAIL_SINK_SMTP is no HOST:PORT" in done.stderr
