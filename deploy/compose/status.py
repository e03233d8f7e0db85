"""`make status`: every container, and what its health check says."""

import json
import subprocess
import time
from datetime import datetime
from typing import Any

from compose import engine, stack

Container = dict[str, Any]


def show() -> bool:
    """Prints the tables. Returns whether everything runs and is healthy."""
    found = stack.shop_containers()
    if not any(one["State"]["Running"] for one in found):
        print("Souk is down.")
        return False
    memory = _memory(found)
    print(f"{'process':<20} {'state':<11} {'health':<10} {'uptime':>9} {'restarts':>8} {'memory':>9}")
    for one in sorted(found, key=engine.label):
        state = one["State"]
        health = state.get("Health", {}).get("Status", "-")
        used = memory.get(one["Id"][:12], "-")
        uptime = _uptime(state) if state["Running"] else "-"
        print(
            f"{engine.label(one):<20} {_word(one):<11} {health:<10} {uptime:>9} {one['RestartCount']:>8} {used:>9}"
        )
    unwell = {**stack.unwell(found), **_missing(found)}
    print()
    for one in sorted(found, key=engine.label):
        _print_readiness(one)
    for name, reason in sorted(unwell.items()):
        print(f"{name:<20} NOT WELL: {reason}")
    print(
        f"\n{stack.address()}   logs: make logs PROCESS=orders-web   data: docker volumes {_project(found)}_*"
    )
    return not unwell


def _word(container: Container) -> str:
    """running, or what else; a one-shot that ended well is done."""
    return (
        "done"
        if engine.service_of(container) in stack.ONE_SHOTS and not stack.complaint(container)
        else container["State"]["Status"]
    )


def _missing(found: list[Container]) -> dict[str, str]:
    there = {engine.service_of(one) for one in found}
    return {
        name: "there is no container"
        for name in engine.output("config", "--services").split()
        if name not in there | {"ops"}
    }


def _print_readiness(container: Container) -> None:
    """A web process says what is behind it: {"status": "ready", "checks": {…}}."""
    name = engine.label(container)
    if not engine.service_of(container).endswith("-web"):
        return
    try:
        said = json.loads(stack.last_output(container["State"].get("Health", {})))
    except ValueError:
        return
    wrong = "; ".join(f"{check}: {finding}" for check, finding in said["checks"].items() if finding != "ok")
    print(f"{name:<20} {said['status']}{': ' + wrong if wrong else ''}")


def _project(found: list[Container]) -> str:
    return str(found[0]["Config"]["Labels"]["com.docker.compose.project"])


def _memory(found: list[Container]) -> dict[str, str]:
    """Short id → memory in use, as the engine counts it (with page cache that may be given back)."""
    ids = [one["Id"] for one in found if one["State"]["Running"]]
    words = ["docker", "stats", "--no-stream", "--format", "{{.ID}} {{.MemUsage}}", *ids]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if len(line.split()) > 1}


def _uptime(state: dict[str, Any]) -> str:
    started = datetime.fromisoformat(state["StartedAt"][:19] + "+00:00").timestamp()
    minutes, seconds = divmod(max(int(time.time() - started), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
