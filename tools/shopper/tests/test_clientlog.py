"""The client log keeps what was noted, whatever becomes of the writer or another line."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shopper.clientlog import ClientLog, default_client_log, orders_told

TOOLS = Path(__file__).parents[2]
NOTES_AND_HANGS = """
import signal, sys
from pathlib import Path
from shopper.clientlog import ClientLog
log = ClientLog(Path(sys.argv[1]))  # kept: to let go of it would write what is left
log.wrote("order", "o1", key="k1", account="a@b.c")
print("noted", flush=True)
signal.pause()
"""


def noted(file, *orders):
    log = ClientLog(file)
    for row_id, account, key in orders:
        log.wrote("order", row_id, account=account, key=key)
    log.close()


def test_accepted_write_survives_a_kill_of_its_writer(tmp_path):
    file = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", NOTES_AND_HANGS, str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(TOOLS)}
    ) as writer:
        assert writer.stdout.readline() == "noted\n"
        writer.send_signal(signal.SIGKILL)

    assert writer.returncode == -signal.SIGKILL
    assert orders_told(file) == {("a@b.c", "k1"): "o1"}


def test_line_says_when_and_what(tmp_path):
    log = ClientLog(tmp_path / "new" / "log.jsonl")
    before = datetime.now(UTC)

    log.wrote("stock", "p1", reason="Rücknahme")
    log.close()

    entry = json.loads((tmp_path / "new" / "log.jsonl").read_text(encoding="ascii"))
    assert before <= datetime.fromisoformat(entry.pop("at")) <= datetime.now(UTC)
    assert entry == {"kind": "stock", "id": "p1", "reason": "Rücknahme"}


def test_torn_last_line_costs_neither_the_lines_before_nor_those_of_the_next_run(tmp_path):
    file = tmp_path / "log.jsonl"
    noted(file, ("o1", "a", "k1"), ("o2", "a", "k2"))
    file.write_bytes(file.read_bytes()[:-9])

    noted(file, ("o3", "a", "k3"), ("o4", "a", "k4"))

    assert orders_told(file) == {("a", "k1"): "o1", ("a", "k3"): "o3", ("a", "k4"): "o4"}


def test_second_run_appends_and_the_last_word_on_a_key_counts(tmp_path):
    file = tmp_path / "log.jsonl"
    noted(file, ("o1", "a", "k"), ("o2", "b", "k"))
    noted(file, ("o3", "a", "k"))

    assert orders_told(file) == {("a", "k"): "o3", ("b", "k"): "o2"}
    assert "" not in file.read_text().splitlines()


def test_lines_that_are_no_orders_are_passed_over(tmp_path):
    file = tmp_path / "log.jsonl"
    lines = [
        '["order"]',
        '"order"',
        '{"kind": "order", "id": "without a key"}',
        '{"kind": "cancel", "id": "order", "what": "order", "account": "a", "key": "k"}',
        '{"kind": "order", "id": "o1", "account": "a", "key": "k1"}',
    ]
    file.write_bytes("\n".join(lines).encode() + b'\n\xff"order"\n')

    assert orders_told(file) == {("a", "k1"): "o1"}


def test_log_that_was_never_written_tells_nothing(tmp_path):
    log = ClientLog(default_client_log(tmp_path))
    log.close()

    assert not log.file.exists()
    assert orders_told(log.file) == {}


@given(st.lists(st.tuples(st.uuids().map(str), st.text(), st.text()), max_size=8))
def test_every_order_is_read_back_as_it_was_noted(tmp_path_factory, orders):
    file = tmp_path_factory.mktemp("log") / "log.jsonl"

    noted(file, *orders)

    assert orders_told(file) == {(account, key): row_id for row_id, account, key in orders}
