"""The largest file, and its longest line, in little memory; and an import that is killed."""

import signal
from contextlib import suppress
from pathlib import Path

import pytest

from products.models import BulkError, BulkOperation, Product
from products.services.imports import lines
from servicekit.testing.processes import container_memory_mib, peak_memory_mib, running_process
from servicekit.testing.waiting import wait_until
from tests.bulk import send_events

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT_MIB = container_memory_mib("small")
COMMAND = ("manage.py", "bulk_operations")


def state() -> str:
    send_events()
    operation = BulkOperation.objects.first()
    return operation.state if operation else ""


def peak_of(*words: str) -> float:
    """Run a process to its end, as the relay does beside it; return its peak of memory in MiB."""
    peak = 0.0
    with running_process(*words) as process:
        # Of a process that has just ended there is no more to read.
        while process.poll() is None:
            with suppress(IndexError):
                peak = peak_memory_mib(process.pid)
            send_events()
    return peak


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_largest_file_of_one_line_is_received_and_read_in_little_memory(
    tmp_path: Path, kind: str
) -> None:
    start, end = ("sku,name\n", "\nA1\n") if kind == "csv" else ('["', '", {"sku": "A1"}]')
    file = tmp_path / f"products.{kind}"
    file.write_text(start + "x" * (50 << 20) + end)

    received = peak_of(*COMMAND, "import", str(file))
    read = peak_of(*COMMAND, "run")

    assert state() == "done"
    codes = set(BulkError.objects.values_list("line", "code"))
    first = 2 if kind == "csv" else 1
    assert codes == {(first, "line_too_long"), (first + 1, "required")}
    assert 0 < received < LIMIT_MIB
    assert 0 < read < LIMIT_MIB


def test_import_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    count = 6 * lines.BATCH
    file = tmp_path / "products.csv"
    rows = "".join(f"S{n},Product {n},1.00,GBP,1\n" for n in range(count))
    file.write_text(f"sku,name,price,currency,stock\n{rows}")
    with running_process(*COMMAND, "import", str(file)):
        wait_until(lambda: state() == "queued", timeout_seconds=120)

    for number in range(1, 4):
        with running_process(*COMMAND, "run") as worker:
            wait_until(
                lambda at=number * lines.BATCH: state() and done() >= at, timeout_seconds=120
            )
            worker.send_signal(signal.SIGKILL)
    with running_process(*COMMAND, "run"):
        wait_until(lambda: state() == "done", timeout_seconds=120)

    operation = BulkOperation.objects.get()
    assert (operation.created, operation.done, operation.failed) == (count, count, 0)
    assert Product.objects.count() == count
    assert not BulkError.objects.exists()


def done() -> int:
    return BulkOperation.objects.get().done
