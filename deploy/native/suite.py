"""`make test`: every part's tests on servers of their own, then the end-to-end suite on a stack of
its own.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # nosec B405: pytest's own report

from native import environment, packages, testservers
from native.layout import Layout, scratch
from native.runtime import NativeRuntime
from souk import files
from souk.checkout import REPOSITORY, VENV
from souk.console import CommandError, last_lines, log_step

PARTS = {
    "servicekit": "services/servicekit",
    "users": "services/users",
    "products": "services/products",
    "orders": "services/orders",
    "gateway": "gateway",
    "souk": "deploy/souk",
    "native": "deploy/native",
    "compose": "deploy/compose",
    "airgap": "deploy/airgap",
    "shopper": "tools/shopper",
    "demo": "tools/demo",
    "audit": "tools/audit",
    "bench": "tools/bench",
    "backup": "deploy/backup",
    "repository": "tests/repository",
}
# What may not have tests of its own.
OPTIONAL = ("shopper", "demo", "audit", "bench")
# Against a whole shop.
END_TO_END = {"e2e": "tests/e2e", "fuzz": "tests/fuzz"}
FAULTS = {"faults": "tests/faults"}
# Only against containers that are up.
CONTAINERS = {"containers": "tests/containers"}
# After that a part hangs. The containers are all restarted and killed, one after the other: about
# 15 minutes, with `SOUK_STARTS=10` 20; a fault may last as long as a real one
# (`SOUK_FULL_SECONDS=900`).
PART_SECONDS = 900
LONGER_SECONDS = {"containers": 3600, "faults": 3600, "fuzz": 3600}


@dataclass(frozen=True)
class Result:
    """What one part came to. A part that broke before it could report has one error."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    exit_code: int

    @property
    def well(self) -> bool:
        return self.exit_code == 0 and self.passed > 0


def everything(only: list[str]) -> bool:
    """Runs all parts, or those named.

    Prints a table. Returns whether all went well; each part runs whatever happens to the others.
    """
    unknown = set(only) - {*PARTS, *END_TO_END, *FAULTS}
    if unknown:
        raise CommandError(
            f"there is no part {', '.join(sorted(unknown))}; there are {', '.join([*PARTS, *END_TO_END, *FAULTS])}"
        )
    packages.ensure_installed()
    environment.ensure()
    wanted = only or [*(name for name in PARTS if _is_there(name)), *END_TO_END]
    results: list[Result] = []
    with files.locked(scratch("suite").state):
        on_servers = [name for name in wanted if name in PARTS]
        if on_servers:
            results += _on_test_servers(on_servers)
        on_a_stack = {
            name: folder for name, folder in (END_TO_END | FAULTS).items() if name in wanted
        }
        if on_a_stack:
            results += _on_private_stack(on_a_stack)
    _print_table(results)
    return all(result.well for result in results)


def _is_there(name: str) -> bool:
    return name not in OPTIONAL or any((REPOSITORY / PARTS[name] / "tests").glob("test_*.py"))


def _on_test_servers(names: list[str]) -> list[Result]:
    try:
        with testservers.running() as variables:
            return [_pytest(name, PARTS[name], {**os.environ, **variables}) for name in names]
    except CommandError as reason:
        log_step(f"test servers: {reason}")
        return [Result(name, 0, 1, 0, 0, 1) for name in names]


def _on_private_stack(parts: Mapping[str, str]) -> list[Result]:
    """A whole shop beside whatever else runs here, gone afterwards."""
    layout = scratch("stack")
    NativeRuntime(layout).reset()
    os.environ["GATEWAY_PORT"] = "0"
    results: list[Result] = []
    try:
        NativeRuntime(layout).up()
        results = [
            _pytest(name, folder, NativeRuntime(layout).suite_variables())
            for name, folder in parts.items()
        ]
    except CommandError as reason:
        log_step(f"private stack: {reason}")
        results = [Result(name, 0, 1, 0, 0, 1) for name in parts]
    finally:
        if not results or not all(result.well for result in results):
            show_logs(layout)
        NativeRuntime(layout).reset()
    return results


def one(name: str, variables: Mapping[str, str], words: list[str]) -> bool:
    """Runs the suite of that name with these variables.

    Prints what it came to; returns whether it went well.
    """
    result = _pytest(name, (END_TO_END | FAULTS | CONTAINERS)[name], variables, words)
    _print_table([result])
    return result.well


def _pytest(
    name: str, folder: str, variables: Mapping[str, str], words: list[str] | None = None
) -> Result:
    """Runs the tests of one folder in that folder, and reads what they came to from pytest's own
    report.
    """
    log_step(f"tests of {name}")
    where = REPOSITORY / folder
    if not where.is_dir():
        log_step(f"{folder} is missing")
        return Result(name, 0, 1, 0, 0, 1)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="souk-report-") as scratch_folder:
        report = Path(scratch_folder) / "report.xml"
        command = [
            str(VENV / "bin" / "python"),
            "-m",
            "pytest",
            "-q",
            f"--junitxml={report}",
            *(words or []),
        ]
        code = _run(command, where, variables, LONGER_SECONDS.get(name, PART_SECONDS))
        passed, failed, skipped = _counts(report)
    # An interrupted or crashed run may have reported nothing wrong.
    failed = max(failed, 1) if code else failed
    return Result(name, passed, failed, skipped, time.monotonic() - started, code)


def _run(command: list[str], where: Path, variables: Mapping[str, str], seconds: int) -> int:
    process = subprocess.Popen(
        command, cwd=where, env=dict(variables), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        log_step(f"no end after {seconds} s")
        return 124
    finally:
        _end_group(process.pid, lambda: process.poll() is None)
        process.wait()


def _end_group(group: int, running: Callable[[], bool]) -> None:
    """Ends what a part has left running, and the part itself when we were told to stop."""
    if running():
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while running() and time.monotonic() < deadline:
            time.sleep(0.1)
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _counts(report: Path) -> tuple[int, int, int]:
    """(passed, failed or broken, skipped) of a junit report."""
    if not report.exists():
        return 0, 1, 0
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314 # nosec B314: pytest's own
    total, failures, errors, skipped = (
        sum(int(one.get(key, "0")) for one in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def show_logs(layout: Layout, lines: int = 40) -> None:
    """The end of every log of a stack, for whoever reads CI's output."""
    for path in sorted(layout.log.glob("*.log")):
        print(f"--- {path.name}\n{last_lines(path.read_text(errors='replace'), lines)}", flush=True)


def _print_table(results: list[Result]) -> None:
    print(f"\n{'part':<14} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for one in results:
        note = "" if one.well else "  FAILED"
        print(
            f"{one.name:<14} {one.passed:>7} {one.failed:>7} {one.skipped:>8} {one.seconds:>8.1f}{note}"
        )
    passed, failed, skipped = (
        sum(getattr(one, key) for one in results) for key in ("passed", "failed", "skipped")
    )
    print(
        f"{'all':<14} {passed:>7} {failed:>7} {skipped:>8} {sum(one.seconds for one in results):>8.1f}"
    )
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
