"""Up, down, scale, and where the gateway is."""

import re
import time
from typing import Any

from compose import dotenv, engine, first_values
from native import connections, files
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, Layout
from native.progress import say

WAIT_SECONDS = 180
ONE_SHOTS = (*(f"{name}-migrate" for name in SERVICES), "broker-setup")


def environment() -> dict[str, str]:
    """What compose.yaml is filled with: .env, and our environment over it."""
    return {**dotenv.read(), **engine.environment()}


def up() -> bool:
    """Builds, starts what is not running, waits until everything is healthy. Returns False when nothing had to be done.

    Raises:
        Cannot: a build failed, or something is not healthy in time; says which, and why.
    """
    engine.need()
    prepare_environment()
    before = running()
    say("building the images")
    engine.compose("--profile", "ops", "build", "--quiet")
    say("starting; each process waits for what it needs")
    words = ("up", "--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS), "--remove-orphans")
    if engine.compose(*words, check=False) or not settled(WAIT_SECONDS):
        raise Cannot(_why_not())
    return running() != before


def prepare_environment() -> None:
    written = first_values.ensure()
    if written:
        say(f".env: wrote {len(written)} values (not shown); keep a copy of it")
    first_values.check(environment())
    for warning in first_values.warnings(environment()):
        say(f"beware: {warning}")


def running() -> set[str]:
    """The ids of the containers that run."""
    return {one["Id"] for one in engine.containers() if one["State"]["Running"]}


def unwell(found: list[dict[str, Any]]) -> dict[str, str]:
    """Container → why it is not as it should be; empty when all is well."""
    reasons = {engine.label(one): complaint(one) for one in found}
    return {name: reason for name, reason in reasons.items() if reason}


def complaint(container: dict[str, Any]) -> str:
    """What is wrong with one container; empty when nothing is."""
    state, name = container["State"], engine.service_of(container)
    if name in ONE_SHOTS:
        done = state["Status"] == "exited" and state["ExitCode"] == 0
        return "" if done else f"{state['Status']} ({state['ExitCode']}), should have ended well"
    if not state["Running"] or state.get("Restarting"):
        return f"{state['Status']} ({state['ExitCode']})"
    health = state.get("Health", {})
    return "" if health.get("Status") in (None, "healthy") else f"{health['Status']}: {last_output(health)}"


def last_output(health: dict[str, Any]) -> str:
    """What the last health check printed."""
    log = health.get("Log") or [{"Output": "not asked yet"}]
    return str(log[-1]["Output"]).strip()[-300:]


def settled(seconds: float) -> bool:
    """Waits until nothing is unwell."""
    deadline = time.monotonic() + seconds
    while unwell(shop_containers()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def shop_containers() -> list[dict[str, Any]]:
    """All but those of ops' own commands."""
    return [one for one in engine.containers() if engine.service_of(one) != "ops"]


def _why_not() -> str:
    found = unwell(shop_containers())
    lines = [
        f"not up after {WAIT_SECONDS} s; what runs is left running (`make status`, `make logs`, `make down`)"
    ]
    for name, reason in found.items():
        lines.append(f"  {name}: {reason}")
    if found:
        engine.compose("logs", "--no-color", "--tail", "20", *sorted(_services(found)), check=False)
    return "\n".join(lines)


def _services(labels: dict[str, str]) -> set[str]:
    known = {engine.label(one): engine.service_of(one) for one in engine.containers()}
    return {known[name] for name in labels if name in known}


def address() -> str:
    """Where clients find the gateway.

    Raises:
        Cannot: it does not run.
    """
    found = engine.output("port", "gateway", "8080").strip()
    if not found:
        raise Cannot("Souk is down: `make up` first")
    host, _, port = found.rpartition(":")
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::', '[::]') else host}:{port}"  # noqa: S104  # nosec B104


def forget_secrets() -> None:
    """Takes the secrets out of .env: they belonged to data that are gone. The next `up` makes new ones."""
    if dotenv.PATH.exists():
        dotenv.forget(first_values.SECRETS)


def remember_address(layout: Layout) -> str:
    layout.state.mkdir(parents=True, exist_ok=True)
    found = address()
    files.write(layout.address, found + "\n", mode=0o644)
    return found


def _max_connections() -> int:
    """Of each service's database."""
    found = re.search(r"max_connections=(\d+)", (REPOSITORY / "compose.yaml").read_text())
    return int(found[1]) if found else connections.LEAST


def scale(service: str, process: str, count: int) -> None:
    """Runs `count` containers of a process from now on; .env remembers it for the next `up`.

    Raises:
        Cannot: there is no such process, or it may not be scaled.
    """
    name = f"{service}-{process}"
    variable = f"{name.upper().replace('-', '_')}_SCALE"
    if name not in engine.output("config", "--services").split():
        raise Cannot(f"there is no {name}")
    if f"${{{variable}" not in (REPOSITORY / "compose.yaml").read_text():
        raise Cannot(f"{name} cannot be scaled: there must be one")
    if count < 1:
        raise Cannot(f"N is {count}: use 1 or more (`docker compose stop {name}` stops a process)")
    if process == "web":
        connections.check_scale(environment(), count, _max_connections())
    dotenv.remember({variable: str(count)})
    engine.compose(
        "up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"{name}={count}", name
    )
