"""The page and its API: GET / and /mails/ID for people; for programs GET /api/mails/ (with
?recipient=ADDRESS), GET /api/mails/ID/, DELETE /api/mails/. Everything is read from memory.
"""

import json
import re
from dataclasses import asdict
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mailsink.store import Mail, Store

#: A page of another site must not read this one by a name that leads here.
HOSTS = {"localhost", "127.0.0.1", "[::1]"}
ONE_MAIL = re.compile(r"/(?:api/)?mails/(\d{1,12})/?")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
FRAME = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark }}
body {{ font: 16px sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
overflow-wrap: anywhere }}
h1 {{ font-size: 1.4em }}
td, th {{ text-align: left; vertical-align: top; padding: .3em 1em .3em 0 }}
td:first-child {{ white-space: nowrap }} pre {{ white-space: pre-wrap; overflow-wrap: anywhere }}
</style>
</head>
<body><h1>{title}</h1>
{body}
</body>
</html>
"""


class Server(ThreadingHTTPServer):
    """Answers each request in a thread."""

    daemon_threads = True

    def __init__(self, store: Store, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.store = store


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = 10

    def do_GET(self) -> None:
        """A list or a mail, as a page or as JSON."""
        url = urlsplit(self.path)
        one = ONE_MAIL.fullmatch(url.path)
        if not self._is_for_us():
            self._answer(421, "text/plain", "Ask by localhost.\n")
        elif url.path in ("/", "/api/mails/"):
            recipient = parse_qs(url.query).get("recipient", [""])[0]
            self._list(self.server.store.newest_first(recipient), is_page=url.path == "/")
        elif url.path == "/healthz":
            self._answer(200, "text/plain", "ok\n")
        elif one and (mail := self.server.store.get(int(one[1]))):
            self._show(mail, is_page=not url.path.startswith("/api/"))
        else:
            self._answer(404, "text/plain", "There is no such mail or page.\n")

    def do_DELETE(self) -> None:
        """Forget all mails."""
        if self._is_for_us() and self.path == "/api/mails/":
            self.server.store.clear()
            self._answer(204, "text/plain", "")
        else:
            self._answer(404, "text/plain", "Only /api/mails/ can be deleted.\n")

    def _is_for_us(self) -> bool:
        host = self.headers.get("Host", "")
        return re.sub(r":\d+$", "", host) in HOSTS

    def _list(self, mails: list[Mail], *, is_page: bool) -> None:
        if is_page:
            self._answer(200, "text/html", list_page(mails))
        else:
            self._answer_json({"mails": [summary(mail) for mail in mails]})

    def _show(self, mail: Mail, *, is_page: bool) -> None:
        if is_page:
            self._answer(200, "text/html", mail_page(mail))
        else:
            self._answer_json(summary(mail) | {"text": mail.text, "html": mail.html})

    def _answer_json(self, body: dict[str, Any]) -> None:
        self._answer(200, "application/json", json.dumps(body))

    def _answer(self, status: int, kind: str, text: str) -> None:
        # A mail may hold lone surrogates.
        body = text.encode(errors="replace")
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a request may name an address."""


def server(store: Store, host: str, port: int) -> Server:
    """Return a server that listens already."""
    return Server(store, (host, port))


def summary(mail: Mail) -> dict[str, Any]:
    """Return what the list tells of a mail."""
    values = asdict(mail) | {"received_at": mail.received_at.isoformat()}
    return {name: value for name, value in values.items() if name not in ("text", "html")}


def list_page(mails: list[Mail]) -> str:
    """Return the page of all mails."""
    rows = "".join(
        f"<tr><td>{mail.received_at:%H:%M:%S}</td><td>{escape(', '.join(mail.recipients))}</td>"
        f'<td><a href="/mails/{mail.id}">{escape(mail.subject) or "(no subject)"}</a></td></tr>\n'
        for mail in mails
    )
    table = f"<table><tr><th>UTC</th><th>to</th><th>subject</th></tr>\n{rows}</table>"
    return FRAME.format(title="Mails", body=table if mails else "<p>None yet.</p>")


def mail_page(mail: Mail) -> str:
    """Return the page of a mail: its plain text, or its HTML as text."""
    about = f"<p>to {escape(', '.join(mail.recipients))}, {mail.received_at:%Y-%m-%d %H:%M:%S} UTC"
    body = f'{about} · <a href="/">all</a></p>\n<pre>{escape(mail.text or mail.html)}</pre>'
    return FRAME.format(title=escape(mail.subject) or "(no subject)", body=body)
