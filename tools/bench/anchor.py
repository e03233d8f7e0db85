"""The baseline as a running server, on the stack's own PostgreSQL, gone afterwards."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.addresses import await_answer, free_address
from bench.wrk import Call
from shopper.databases import other_database
from shopper.ops import ROOT, Ops

PRODUCTS = 1000


@dataclass(frozen=True)
class Baseline:
    """Anchor A: gunicorn sync x2, no proxy in front, as performance.md measured it."""

    url: str
    token: str

    def purchases(self, products: int) -> list[Call]:
        ids = [1 + number % products for number in range(PRODUCTS)]
        return [Call("POST", f"/products/{number}/purchase/", self.token) for number in ids]

    def lists(self) -> list[Call]:
        return [Call("GET", "/products/", self.token)]

    def retrieves(self) -> list[Call]:
        return [Call("GET", f"/products/{1 + number}/", self.token) for number in range(PRODUCTS)]


@contextmanager
def baseline(ops: Ops, *, products: int = PRODUCTS) -> Iterator[Baseline]:
    """Start the monolith on a database of its own."""
    server = ops["OPS_DATABASE_URL_ORDERS"]
    name = f"bench_baseline_{secrets.token_hex(3)}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tools"),
        "DJANGO_SETTINGS_MODULE": "bench.baseline.settings",
        "BASELINE_DATABASE_URL": other_database(server, name),
        "BASELINE_SECRET_KEY": secrets.token_hex(32),
    }
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            command = [sys.executable, "-m", "bench.baseline.fill", str(products)]
            filled = subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True
            )
            with _served(environment) as url:
                yield Baseline(url, filled.stdout.strip())
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _served(environment: dict[str, str]) -> Iterator[str]:
    address = free_address()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-k",
        "sync",
        "-b",
        address,
        "--log-level",
        "warning",
    ]
    server = subprocess.Popen([*command, "bench.baseline.wsgi"], env=environment)
    try:
        await_answer(f"http://{address}/products/", server)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(timeout=20)
