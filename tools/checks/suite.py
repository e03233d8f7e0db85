"""`make test`: every part's tests on servers of their own, then end to end on a private stack."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.etree import ElementTree  # nosec B405: pytest's own report

from native.layout import Layout, scratch
from native.runtime import NativeRuntime
from souk import files
from souk.checkout import PYTHON, REPOSITORY
from souk.console import CommandError, last_lines, log_step
from testservers import servers

#: Whatever has tests beside it, and the tests of the repository itself.
PARTS = {
    path.parent.name: path.parent
    for pattern in ("services/*/tests", "gateway/tests", "deploy/*/tests", "tools/*/tests")
    for path in sorted(REPOSITORY.glob(pattern))
    if any(path.rglob("test_*.py"))
} | {"repository": REPOSITORY / "tests" / "repository"}
#: Against a whole shop. Without names, all but faults and containers run.
SUITES = {name: REPOSITORY / "tests" / name for name in ("e2e", "fuzz", "faults", "containers")}
#: On a shop of its own with other settings: a ring that turns as fast as users permits.
ON_ITS_OWN = {"rotation": {"ACCESS_TOKEN_SECONDS": "6", "SIGNING_KEY_MARGIN_SECONDS": "12"}}
SUITES |= {name: REPOSITORY / "tests" / name for name in ON_ITS_OWN}
BY_DEFAULT = (*PARTS, "e2e", "fuzz")
ON_A_STACK = ("e2e", "fuzz", "faults")
#: Large parts are run by a process a core, each with databases and virtual hosts of its own; a
#: file's tests stay together, for what they share is made once. The others run beside each other.
ON_EVERY_CORE = {"servicekit", "users", "products", "orders", "gateway"}
SPREAD = ("--numprocesses=auto", "--dist=loadfile")
#: After that a part hangs. The containers are all restarted and killed, one after the other: about
#: 15 minutes, with SOUK_STARTS=10 20; a fault may last as long as SOUK_FULL_SECONDS says.
PART_SECONDS = 900
LONGER_SECONDS = {"containers": 3600, "faults": 3600, "fuzz": 3600}
#: What a part that was told to stop has, before it is killed.
END_SECONDS = 10


@dataclass(frozen=True)
class Result:
    """How many tests of a part passed, failed (or broke) and were skipped."""

    name: str
    passed: int = 0
    failed: int = 1
    skipped: int = 0
    seconds: float = 0

    @property
    def is_well(self) -> bool:
        return self.failed == 0 and self.passed > 0


def run_parts(names: Sequence[str]) -> bool:
    """Run all parts or those named, whatever becomes of the others; print a table.

    Returns:
        Whether all went well.

    Raises:
        CommandError: there is no such part, or another run is at work in this checkout.
    """
    known = [*PARTS, *ON_A_STACK, *ON_ITS_OWN]
    if unknown := sorted(set(names) - set(known)):
        raise CommandError(f"there is no part {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = names or BY_DEFAULT
    with files.locked(scratch("suite").state):
        results = _on_test_servers([name for name in wanted if name in PARTS])
        results += _on_private_stack([name for name in wanted if name in ON_A_STACK])
        for name in wanted:
            if name in ON_ITS_OWN:
                os.environ.update(ON_ITS_OWN[name])
                results += _on_private_stack([name])
    print_table(results)
    return all(result.is_well for result in results)


def _on_test_servers(names: Sequence[str]) -> list[Result]:
    if not names:
        return []
    try:
        with servers.running() as variables:
            return run_on_every_core(names, os.environ | variables)
    except CommandError as reason:
        log_step(f"test servers: {reason}")
        return [Result(name) for name in names]


def run_on_every_core(names: Sequence[str], variables: Mapping[str, str]) -> list[Result]:
    """Run the large parts one after the other, then as many of the small ones at once as there are
    cores. Returns the results in the order of the names.
    """
    large = [name for name in names if name in ON_EVERY_CORE]
    small = [name for name in names if name not in ON_EVERY_CORE]
    results = [run_pytest(name, PARTS[name], variables, SPREAD) for name in large]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results += pool.map(lambda name: _run_beside_others(name, variables), small)
    return sorted(results, key=lambda result: names.index(result.name))


def _run_beside_others(name: str, variables: Mapping[str, str]) -> Result:
    """Run a part, and print what it said in one piece."""
    with tempfile.TemporaryFile() as said:
        result = run_pytest(name, PARTS[name], variables, output=said)
        said.seek(0)
        print(f"--- {name}\n{said.read().decode(errors='replace')}", end="", flush=True)
    return result


def _on_private_stack(names: Sequence[str]) -> list[Result]:
    """Run them against a whole shop beside whatever else runs here, gone afterwards."""
    if not names:
        return []
    os.environ["GATEWAY_PORT"] = "0"
    layout = scratch("stack")
    shop = NativeRuntime(layout)
    results = [Result(name) for name in names]
    shop.reset()
    try:
        shop.up()
        results = [run_pytest(name, SUITES[name], shop.suite_variables()) for name in names]
    except CommandError as reason:
        log_step(f"private stack: {reason}")
    finally:
        if not all(result.is_well for result in results):
            _show_logs(layout)
        shop.reset()
    return results


def run_suite(name: str, variables: Mapping[str, str], words: Sequence[str]) -> bool:
    """Run a suite against the shop that the variables name. Returns whether it went well."""
    result = run_pytest(name, SUITES[name], variables, words)
    print_table([result])
    return result.is_well


def run_pytest(
    name: str,
    folder: Path,
    variables: Mapping[str, str],
    words: Iterable[str] = (),
    output: IO[bytes] | None = None,
) -> Result:
    """Run the tests of a folder in it, and count by pytest's own report.

    What it says goes to `output`, or where ours goes.
    """
    log_step(f"tests of {name}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="souk-") as scratch_folder:
        report = Path(scratch_folder) / "report.xml"
        # -P: not with the folder itself on the path, where native's `supervisor` hides the package.
        command = [str(PYTHON), "-P", "-m", "pytest", "-q", f"--junitxml={report}", *words]
        # Not pytest's folder for all runs of a user: each run at once closes it to all but itself.
        command.append(f"--basetemp={Path(scratch_folder, 'files')}")
        seconds = LONGER_SECONDS.get(name, PART_SECONDS)
        code = run_bounded(command, folder, variables, seconds, output)
        passed, failed, skipped = counts(report)
    # A run that was interrupted or crashed may have reported nothing wrong.
    failed = max(failed, 1) if code else failed
    return Result(name, passed, failed, skipped, time.monotonic() - started)


def run_bounded(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    seconds: float,
    output: IO[bytes] | None = None,
) -> int:
    """Run a command for at most `seconds`, and end all that it has left running.

    Returns:
        Its exit code; 124 when it did not end in time.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        log_step(f"no end after {seconds} s")
        return 124
    finally:
        # Its session is its process group.
        with suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def counts(report: Path) -> tuple[int, int, int]:
    """Return (passed, failed or broken, skipped) of a junit report; (0, 1, 0) without a report."""
    if not report.exists():
        return 0, 1, 0
    root = ElementTree.parse(report).getroot()  # noqa: S314 # nosec B314: pytest's own
    total, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in root.iter("testsuite"))
        for key in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def _show_logs(layout: Layout, lines: int = 40) -> None:
    """Print the end of every log of a stack, for whoever reads CI's output."""
    for path in sorted(layout.log.glob("*.log")):
        print(f"--- {path.name}\n{last_lines(path.read_text(errors='replace'), lines)}", flush=True)


def print_table(results: Sequence[Result]) -> None:
    """Print a line for each part, and the sums; the last line is what CI reads."""
    passed, failed, skipped = (
        sum(getattr(result, key) for result in results) for key in ("passed", "failed", "skipped")
    )
    total = Result("all", passed, failed, skipped, sum(result.seconds for result in results))
    print(f"\n{'part':<14} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for result in [*results, total]:
        note = "" if result.is_well or result is total else "  FAILED"
        print(
            f"{result.name:<14} {result.passed:>7} {result.failed:>7} {result.skipped:>8}"
            f" {result.seconds:>8.1f}{note}"
        )
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
