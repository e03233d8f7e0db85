"""The scripts of the service images, run as they are."""

import http.server
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from souk.checkout import REPOSITORY

HEALTH, RUN = (REPOSITORY / "deploy" / "image" / name for name in ("health", "run"))


def health(process: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [str(HEALTH), process], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def web() -> Iterator[http.server.HTTPServer]:
    """Answers /readyz with `server.status`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/readyz"
            self.send_response(self.server.status if known else 404)  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(b'{"status": "as told"}')

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_web_is_as_well_as_it_says(web: http.server.HTTPServer, status: int, code: int) -> None:
    web.status = status  # type: ignore[attr-defined]

    done = health("web", WEB_PORT=str(web.server_port))

    assert done.returncode == code
    assert done.stdout == '{"status": "as told"}'


def test_web_that_does_not_listen_is_not_well() -> None:
    assert health("web", WEB_PORT="1").returncode != 0


@pytest.mark.parametrize(("age", "code"), [(0, 0), (20, 0), (45, 1)])
def test_sign_of_life_may_be_thirty_seconds_old(tmp_path: Path, age: int, code: int) -> None:
    sign = tmp_path / "relay"
    sign.touch()
    os.utime(sign, (time.time() - age, time.time() - age))

    assert health("relay", HEARTBEAT_DIR=str(tmp_path)).returncode == code


def test_process_that_never_gave_a_sign_is_not_well(tmp_path: Path) -> None:
    assert health("consumer", HEARTBEAT_DIR=str(tmp_path)).returncode == 1


def test_unknown_process_is_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}

    done = subprocess.run(
        [str(RUN), "wep"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "relay" in done.stderr
