"""A gateway with production's limits in front of the services of the shop that is up."""

import os
import shutil
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
    """Start one on a free port, with the values of defaults.env alone. Yields the port."""
    folder = Path(tempfile.mkdtemp(prefix="souk-fuzz-"))
    port = _free_port()
    variables = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "ACCESS_LOG": str(folder / "access.log"),
        "ERROR_LOG": str(folder / "error.log"),
        **{f"{name.upper()}_UPSTREAM": ops[f"{name.upper()}_URL"].partition("://")[2] for name in SERVICES},
    }
    subprocess.run([str(GATEWAY / "container-entry"), "--render", str(folder)], env=variables, check=True)
    process = subprocess.Popen([str(GATEWAY / "start"), str(folder)], env=variables, start_new_session=True)
    try:
        _await(process, port)
        yield port
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


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
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
