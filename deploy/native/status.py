"""`make status`: every process, and whether each service is ready."""

import time

from native import ports, processes, readiness, supervisor
from native.layout import Layout
from native.variables import base_url


def show(layout: Layout) -> bool:
    """Prints the tables. Returns whether everything runs, is ready, and nothing wants attention."""
    if not supervisor.answers(layout):
        left = processes.of_stack(layout)
        print(
            f"Souk is down, but {len(left)} of its processes are left: `make down` ends them."
            if left
            else "Souk is down."
        )
        return False
    chosen = ports.recorded(layout)
    found = supervisor.processes_of(layout)
    _print_processes(found)
    findings = readiness.findings(chosen)
    print()
    for name, one in findings.items():
        print(f"{name:<17} {one}")
    print(f"\n{base_url(chosen['gateway'])}   logs: {layout.log}   data: {layout.state}")
    return all(process.state == "RUNNING" for process in found) and all(
        one.is_well for one in findings.values()
    )


def _print_processes(found: list[supervisor.Process]) -> None:
    print(f"{'process':<17} {'state':<9} {'pid':>7} {'uptime':>9} {'memory':>9}")
    total = 0
    for process in sorted(found, key=lambda one: one.name):
        used = processes.memory(processes.descendants([process.pid])) if process.pid else 0
        total += used
        up = _duration(time.time() - process.started) if process.pid else "-"
        note = "" if process.state == "RUNNING" else f"  {process.note}"
        print(
            f"{process.name:<17} {process.state:<9} {process.pid or '-':>7} {up:>9} {_mebibytes(used):>9}{note}"
        )
    print(f"{'all':<17} {'':<9} {'':>7} {'':>9} {_mebibytes(total):>9}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.0f} MiB"
