"""CPU per request of the gateway's workers: bare proxy, open route, micro-cached page, cached
verdict, verifying.

    .venv/bin/python tools/bench/gateway.py            (needs wrk)

Six nginx configurations take turns on the same upstream (an nginx that returns 1 KB); three runs
each, medians. The open route is measured to a fixed address, and by name. CPU is read from /proc
around each run, for the gateway's workers alone; ratios carry over to other machines, figures do
not.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = ROOT / "gateway"
sys.path[0] = str(ROOT)

from gateway.tests.harness.client import request  # noqa: E402
from gateway.tests.harness.dns import NameServer  # noqa: E402
from gateway.tests.harness.nginx import GENEROUS, free_port, wait_until  # noqa: E402

from servicekit.testing.tokens import Signer, key_set  # noqa: E402

RUNS = int(os.environ.get("RUNS", "3"))
SECONDS = int(os.environ.get("SECONDS", "3"))
CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")
# As gateway/start does.
USER = "user root root;" if os.geteuid() == 0 else ""
ENVIRONMENT = {"PATH": os.environ["PATH"] + ":/usr/sbin"}

UPSTREAM = """
worker_processes 1; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            add_header Cache-Control "public, max-age=0";
            return 200 '{{"padding": "{padding}"}}';
        }}
        location = /.well-known/jwks.json {{ return 200 '{jwks}'; }}
        location = /internal/revocations/ {{ return 200 '{{"horizon": 1, "revoked": []}}'; }}
    }}
}}
"""
BARE = """
worker_processes 1; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    upstream service {{ server 127.0.0.1:{upstream}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1; proxy_set_header Connection "";
        location / {{ proxy_pass http://service; }}
    }}
}}
"""


@contextmanager
def nginx(directory: Path, port: int) -> Iterator[int]:
    """Runs directory/nginx.conf until the block ends; gives its worker's pid."""
    process = subprocess.Popen(
        ["nginx", "-c", str(directory / "nginx.conf"), "-g", f"daemon off; {USER}"], env=ENVIRONMENT
    )
    try:
        wait_until(lambda: _answers(port), f"nginx on {port}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield int(
            next(
                pid
                for pid in children
                if "worker process" in Path(f"/proc/{pid}/cmdline").read_text()
            )
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _answers(port: int) -> bool:
    try:
        return bool(request(port, "GET", "/healthz").status)
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def load(port: int, workers: list[int], path: str, token: str | None) -> list[float]:
    """One wrk run: requests per second, then microseconds of each worker's CPU per request."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}{path}"]
    command += ["-H", f"Authorization: Bearer {token}"] if token else []
    before = [cpu_seconds(pid) for pid in workers]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = [cpu_seconds(pid) - start for pid, start in zip(workers, before, strict=True)]
    count = re.search(r"(\d+) requests in", told)
    if count is None or "Non-2xx" in told:
        raise RuntimeError(told)
    return [int(count[1]) / SECONDS, *(seconds / int(count[1]) * 1e6 for seconds in used)]


def folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="souk-bench-")))


def plain(stack: ExitStack, template: str, **values: object) -> tuple[int, int]:
    directory, port = folder(stack), free_port()
    (directory / "nginx.conf").write_text(template.format(directory=directory, port=port, **values))
    return port, stack.enter_context(nginx(directory, port))


def gateway(
    stack: ExitStack,
    upstream: int,
    *,
    keep_verdicts: bool = True,
    host: str = "127.0.0.1",
    **more: str,
) -> tuple[int, int]:
    directory, port = folder(stack), free_port()
    services = {
        f"{name}_UPSTREAM": f"{host}:{upstream}" for name in ("USERS", "PRODUCTS", "ORDERS")
    }
    variables = more | {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "WORKER_PROCESSES": "1",
        "ACCESS_LOG": str(directory / "access.log"),
    }
    generous = {name: value.replace("10000", "1000000") for name, value in GENEROUS.items()}
    render = [str(GATEWAY / "container-entry"), "--render", str(directory)]
    subprocess.run(render, env=ENVIRONMENT | services | generous | variables, check=True)
    if not keep_verdicts:
        verdict = directory / "verdict.conf"
        verdict.write_text(verdict.read_text().replace("proxy_cache verdicts;", "proxy_cache off;"))
    return port, stack.enter_context(nginx(directory, port))


def main() -> None:
    signer = Signer()
    with ExitStack() as stack:
        upstream, far_end = plain(
            stack, UPSTREAM, padding="x" * 1000, jwks=key_set(signer).decode()
        )
        bare = plain(stack, BARE, upstream=upstream)
        names = NameServer()
        names.records["service"] = ["127.0.0.1"]
        kept = gateway(stack, upstream)
        by_name = gateway(
            stack, upstream, host="service", UPSTREAMS="by_name", RESOLVER=names.address
        )
        each = gateway(stack, upstream, keep_verdicts=False)
        cached = gateway(stack, upstream, CATALOGUE_CACHE="on")
        query = "/api/products/?category=lanterns&min_price=1&ordering=price"
        cases = {
            "bare proxy": (bare, "/api/products/", True),
            "gateway, open route, no token": (kept, "/api/products/", False),
            "same, upstream by name": (by_name, "/api/products/", False),
            "micro-cached page": (cached, "/api/products/", False),
            "micro-cached page with a query": (cached, query, False),
            "gateway, cached verdict": (kept, "/api/orders/", True),
            "gateway, verifying each time": (each, "/api/orders/", True),
        }
        runs: dict[str, list[list[float]]] = {name: [] for name in cases}
        for _ in range(RUNS):
            for name, ((port, pid), path, is_signed) in cases.items():
                token = signer.token() if is_signed else None
                runs[name].append(load(port, [pid, far_end], path, token))
    report(
        {
            name: [statistics.median(column) for column in zip(*rows, strict=True)]
            for name, rows in runs.items()
        }
    )


def report(medians: dict[str, list[float]]) -> None:
    _, bare, far_end = medians["bare proxy"]
    lines = [
        f"{f'median of {RUNS} x {SECONDS} s':32}   req/s  CPU µs  x bare  with upstream  x bare"
    ]
    for name, (rate, cpu, upstream_cpu) in medians.items():
        both = cpu + upstream_cpu
        ratios = cpu / bare, both / (bare + far_end)
        lines.append(f"{name:32}{rate:8,.0f}{cpu:8.1f}{ratios[0]:8.2f}{both:15.1f}{ratios[1]:8.2f}")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
