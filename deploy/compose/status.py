"""What `make status` shows of containers."""

import time
from collections.abc import Sequence
from datetime import datetime

from compose import engine, stack
from compose.engine import Container
from souk import readiness
from souk.console import duration
from souk.readiness import Finding


def findings(found: Sequence[Container]) -> dict[str, Finding]:
    """Return what each web process says of its service, and what is wrong with the others."""
    lacking = set(engine.output("config", "--services").split()) - {"ops"}
    lacking -= {engine.service_of(each) for each in found}
    wrong = {**stack.unwell(found), **dict.fromkeys(sorted(lacking), "there is no container")}
    webs = [each for each in found if engine.service_of(each).endswith("-web")]
    asked = {
        engine.label(each): readiness.check(["docker", "exec", each["Id"], "/souk/health", "web"])
        for each in webs
        if each["State"]["Running"]
    }
    return {**{name: Finding(wrong[name], serves=False) for name in wrong}, **asked}


def process_table(found: Sequence[Container]) -> list[list[object]]:
    """Memory is what the engine counts: with page cache that may be given back."""
    runs = [each["Id"] for each in found if each["State"]["Running"]]
    stats = engine.docker("stats", "--no-stream", "--format", "{{.ID}} {{.MemUsage}}", *runs)
    memory = dict(line.split()[:2] for line in stats.stdout.splitlines() if line)
    rows: list[list[object]] = [["process", "state", "health", "uptime", "restarts", "memory"]]
    for each in found:
        state = each["State"]
        # RFC 3339 with nanoseconds, in UTC.
        began = datetime.fromisoformat(state["StartedAt"][:19] + "+00:00").timestamp()
        rows.append([
            engine.label(each),
            "done" if _has_ended_well(each) else state["Status"],
            state.get("Health", {}).get("Status", "-"),
            duration(time.time() - began) if state["Running"] else "-",
            each["RestartCount"],
            memory.get(each["Id"][:12], "-"),
        ])  # fmt: skip
    return rows


def _has_ended_well(container: Container) -> bool:
    return engine.service_of(container) in stack.ONE_SHOTS and not stack.complaint(container)
