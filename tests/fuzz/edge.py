"""A gateway with production's limits in front of the services of the shop that is up."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from harness import wait_until

from shopper.ops import ROOT, Ops

GATEWAY = ROOT / "gateway"
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
    subprocess.run([sys.executable, str(GATEWAY / "render.py"), str(folder)], env=variables, check=True)
    process = subprocess.Popen([str(GATEWAY / "start"), str(folder)], env=variables, start_new_session=True)
    try:
        wait_until(lambda: _answers(process, port), what="the gateway answers")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "the gateway ended at once"
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
