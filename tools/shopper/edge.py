"""A gateway with production's limits in front of the services of the shop that is up."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopper.ops import ROOT, Ops, StackUnknown

GATEWAY = ROOT / "gateway"
START_SECONDS = 10.0
SERVICES = ("users", "products", "orders")


@contextmanager
def production_gateway(ops: Ops) -> Iterator[int]:
    """Start a gateway on a free port, with the values of defaults.env alone. Yields the port.

    Raises:
        StackUnknown: the shop's addresses are not known, or the gateway does not start.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="souk-fuzz-", ignore_cleanup_errors=True) as folder:
        variables = _variables(ops, Path(folder), port)
        render = [str(GATEWAY / "container-entry"), "--render", folder]
        subprocess.run(render, env=variables, check=True)
        start = [str(GATEWAY / "start"), folder]
        process = subprocess.Popen(start, env=variables, start_new_session=True)
        try:
            _await(process, port)
            yield port
        finally:
            _end(process)


def _variables(ops: Ops, folder: Path, port: int) -> dict[str, str]:
    upstreams = {name.upper(): ops[f"{name.upper()}_URL"].partition("://")[2] for name in SERVICES}
    return {
        # Debian has nginx in /usr/sbin, which a user's path may lack.
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "ACCESS_LOG": str(folder / "access.log"),
        "ERROR_LOG": str(folder / "error.log"),
        **{f"{name}_UPSTREAM": address for name, address in upstreams.items()},
        # `web` answers who waits, at once, as while `live` is away.
        "LIVE_UPSTREAM": upstreams["ORDERS"],
    }


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackUnknown("the gateway with production's limits does not start")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        # It leads a session of its own, so that its workers are ended with it.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
