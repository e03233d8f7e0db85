"""A replay goes on while its processes are killed and its servers restarted; afterwards everything
adds up.
"""

import json
import os
import threading
from pathlib import Path

from stack import OURS, Stack, pause

BETWEEN_FAULTS_SECONDS = 2.0
CUSTOMERS, PRODUCTS, ORDERS = 12, 40, 1500


def write_file(file: Path, first_invoice: int) -> None:
    """Write a file in the Online Retail columns: some thousand lines, every tenth invoice taken
    back.
    """
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for number in range(ORDERS):
        invoice, customer = first_invoice + number, 10_000 + number % CUSTOMERS
        for step in range(1, 4):
            code = 20_000 + (number * step) % PRODUCTS
            for prefix, sign in (("", 1), ("C", -1)) if number % 10 == 0 else (("", 1),):
                cells = (
                    f"{prefix}{invoice}",
                    code,
                    f"THING {code}",
                    sign * step,
                    "12/1/2010 8:26",
                    "2.50",
                    customer,
                    "UK",
                )
                lines.append(",".join(map(str, cells)))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def do_faults(stack: Stack, done: list[str]) -> None:
    for name in OURS:
        pause(BETWEEN_FAULTS_SECONDS)
        stack.kill(name)
        done.append(f"killed {name}")
    for name in ("users-web", "products-web", "orders-web"):
        pause(BETWEEN_FAULTS_SECONDS)
        stack.kill_a_child(name)
        done.append(f"killed a worker of {name}")
    for server in ("rabbitmq", "postgres", "redis"):
        pause(BETWEEN_FAULTS_SECONDS)
        stack.restart(server)
        done.append(f"restarted {server}")
    pause(BETWEEN_FAULTS_SECONDS)


def test_replay_survives_kills_and_restarts(stack, tmp_path):
    """Replays follow each other until every fault has happened during a replay.

    SOUK_FAULTS_FILE names a file of one's own.
    """
    own = os.environ.get("SOUK_FAULTS_FILE")
    done: list[str] = []
    faults = threading.Thread(target=do_faults, args=(stack, done))
    faults.start()

    for number in range(20):
        file, report, log = (
            tmp_path / f"{number}.csv",
            tmp_path / f"{number}.json",
            tmp_path / f"{number}.log",
        )
        write_file(file, first_invoice=600_000 + number * ORDERS)
        replay = stack.start_replay(
            Path(own) if own else file, log, "--stock", "1000000", "--report", str(report)
        )
        code = replay.wait(timeout=600)
        assert code == 0, f"{done}\n{log.read_text()}"
        assert json.loads(report.read_text())["disagreements"] == []
        if not faults.is_alive():
            break
    faults.join()

    assert len(done) == len(OURS) + 6
    stack.audit()
    again = stack.start_replay(Path(own) if own else file, log, "--stock", "1000000")
    assert again.wait(timeout=600) == 0
    assert "nothing new" in log.read_text()
    stack.audit()
