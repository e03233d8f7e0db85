"""What `live` asks users for of itself."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servicekit.auth.revocation_list import PATH
from servicekit.testing.tokens import jwks
from servicekit.testing.waiting import wait_until
from tests.live.conftest import StartLive


@contextmanager
def users_asked() -> Iterator[tuple[str, set[str]]]:
    """Stand in for users: its address, and the paths that were asked for."""
    asked: set[str] = set()

    class Users(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.add(self.path.partition("?")[0])
            body = json.dumps(jwks()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Users)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_keys_and_ended_sessions_are_asked_for_before_anybody_shows_a_token(
    start_live: StartLive, tmp_path: object
) -> None:
    with users_asked() as (users, asked):
        variables = {"JWKS_URL": f"{users}/keys", "JWKS_CACHE_FILE": f"{tmp_path}/none.json"}
        with start_live(**variables):
            wait_until(lambda: {"/keys", f"/{PATH}"} <= asked)
