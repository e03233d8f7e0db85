"""A backup of a shop at work, brought up elsewhere: what was on its way arrives, and everything
agrees.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness import SETTLED

from native.layout import Layout
from native.runtime import NativeRuntime
from souk import files
from souk.checkout import REPOSITORY


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Layout]:
    """Where another stack may be; it is deleted afterwards."""
    layout = Layout(tmp_path / "second")
    yield layout
    NativeRuntime(layout).reset()


def native(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        "SOUK_STATE_DIR": str(layout.state),
        "GATEWAY_PORT": "0",
        "RUNTIME": "native",
    }
    tool = "tools/backup" if words[0] in ("backup", "restore") else "deploy/souk"
    command = [sys.executable, str(REPOSITORY / tool), *words]
    return subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=400
    )


@contextmanager
def repeated(work: Callable[[], Any]) -> Iterator[None]:
    """Do the work again and again in a thread, for the length of the block."""
    ended, errors = threading.Event(), []

    def run() -> None:
        try:
            while not ended.is_set():
                work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)
    assert errors == []


def statuses(layout: Layout, ids: list[str]) -> dict[str, str]:
    address = files.read_variables(layout.env / "ops.env")["OPS_DATABASE_URL_ORDERS"]
    with psycopg.connect(address) as connection:
        rows = connection.execute(
            "SELECT id::text, status FROM orders WHERE id = ANY(%s::uuid[])", [ids]
        )
        return dict(rows.fetchall())


def test_backup_during_traffic_restores_to_a_shop_that_agrees(
    shop, stack, staff, customer, second, tmp_path
):
    product = shop.add_product(staff, stock=100_000)
    archive = tmp_path / "backup.tar"
    (stack.layout.media / "ab").mkdir(exist_ok=True)
    (stack.layout.media / "ab" / "image.webp").write_bytes(b"pixels")
    ended = [shop.bought(customer, (product["id"], 1))["id"] for _ in range(5)]

    with stack.stopped("products-consumer"):
        # Published, and only in the broker, which no backup holds.
        waiting = [shop.place(customer, (product["id"], 1)).json()["id"] for _ in range(5)]
        with stack.stopped("orders-relay"):
            unsent = [shop.place(customer, (product["id"], 1)).json()["id"]]
            with repeated(lambda: shop.place(customer, (product["id"], 1))):
                made = native(stack.layout, "backup", str(archive))
    assert made.returncode == 0, made.stderr
    with repeated(lambda: shop.bought(customer, (product["id"], 1))):
        busy = native(stack.layout, "backup", str(tmp_path / "busy.tar"))
    assert busy.returncode == 0, busy.stderr

    for file in (archive, tmp_path / "busy.tar"):
        restored = native(second, "restore", "--replace", str(file))
        assert restored.returncode == 0, restored.stdout + restored.stderr
        assert "clean: everything agrees" in restored.stdout
        found = statuses(second, ended + waiting + unsent)
        assert found.keys() == {*ended, *waiting, *unsent}
        assert set(found.values()) <= set(SETTLED)
        assert native(second, "down").returncode == 0
    assert (second.media / "ab" / "image.webp").read_bytes() == b"pixels"
    assert oct(archive.stat().st_mode)[-3:] == "600"


def test_restore_refuses_a_running_shop_and_damaged_files(stack, second, tmp_path):
    archive = tmp_path / "backup.tar"
    assert native(stack.layout, "backup", str(archive)).returncode == 0
    damaged = tmp_path / "damaged.tar"
    content = bytearray(archive.read_bytes())
    content[content.index(b"PGDMP") + 1000] ^= 1
    damaged.write_bytes(content)

    running = native(stack.layout, "restore", "--replace", str(archive))
    broken = native(second, "restore", str(damaged))

    assert (running.returncode, "Souk is up" in running.stderr) == (1, True)
    assert (broken.returncode, "damaged" in broken.stderr) == (1, True)
    assert not second.secrets.exists()
    stack.audit()
