"""`make status`: every container, and what its health check says."""

import json
import subprocess
import time
from datetime import datetime
from typing import Any

from compose import engine, stack

Container = dict[str, Any]
ASK_SECONDS = 10


def show() -> bool:
    """Prints the tables. Returns whether everything runs, is healthy, and nothing wants attention."""
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
    answers = {engine.label(one): _readiness(one) for one in found if _is_running_web(one)}
    for name, said in sorted(answers.items()):
        print(f"{name:<20} {summary(said)}")
    for name, reason in sorted(unwell.items()):
        print(f"{name:<20} NOT WELL: {reason}")
    print(
        f"\n{stack.address()}   logs: make logs PROCESS=orders-web   data: docker volumes {_project(found)}_*"
    )
    return not unwell and all(said.get("status") == "ready" for said in answers.values())


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


def _is_running_web(container: Container) -> bool:
    return engine.service_of(container).endswith("-web") and bool(container["State"]["Running"])


def _readiness(container: Container) -> dict[str, Any]:
    """What a web process says now of what is behind it: {"status": "ready", "checks": {…}}; empty when it does not answer.

    Asked anew: the engine keeps the answer to its last health check, which may be older than what has happened since.
    """
    words = ["docker", "exec", container["Id"], "/souk/health", "web"]
    try:
        asked = subprocess.run(words, capture_output=True, text=True, check=False, timeout=ASK_SECONDS)
        said: dict[str, Any] = json.loads(asked.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return {}
    return said


def summary(said: dict[str, Any]) -> str:
    """One line of a readiness answer: its status, and every check that is not well."""
    checks: dict[str, str] = said.get("checks", {})
    wrong = "; ".join(f"{check}: {finding}" for check, finding in checks.items() if finding != "ok")
    return f"{said.get('status', 'does not answer')}{': ' + wrong if wrong else ''}"


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
