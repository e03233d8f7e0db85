"""Up, scale, and whether each container is as it should be."""

import time
from collections.abc import Iterable

from compose import engine, first_values
from compose.engine import Container
from souk import connections, dotenv
from souk.checkout import SCALABLE, SERVICES
from souk.console import CommandError, log_step
from souk.files import read_variables

WAIT_SECONDS = 180
ONE_SHOTS = (*(f"{name}-migrate" for name in SERVICES), "broker-setup")


def environment() -> dict[str, str]:
    """Return what compose.yaml is filled with: .env, and our environment over it."""
    return {**read_variables(dotenv.PATH), **engine.environment()}


def prepare_environment() -> None:
    """Write what .env lacks, and check that it says all."""
    written = first_values.write_missing()
    if written:
        log_step(f".env: wrote {len(written)} values (not shown); keep a copy of it")
    first_values.check(environment())
    warning = first_values.warning(environment())
    if warning:
        log_step(f"beware: {warning}")


def up() -> bool:
    """Build, start what is not running, wait until all is healthy. False: nothing had to start."""
    prepare_environment()
    before = running()
    log_step("building the images")
    engine.compose("--profile", "ops", "build", "--quiet")
    log_step("starting; each process waits for what it needs")
    words = ("--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS), "--remove-orphans")
    if engine.compose("up", *words, check=False) or not settled(WAIT_SECONDS):
        raise CommandError(_why_not())
    return running() != before


def running() -> set[str]:
    """Return the ids of the containers that run."""
    return {each["Id"] for each in engine.containers() if each["State"]["Running"]}


def shop_containers() -> list[Container]:
    """Return all but those of ops' own commands."""
    return [each for each in engine.containers() if engine.service_of(each) != "ops"]


def unwell(found: Iterable[Container]) -> dict[str, str]:
    """Container → why it is not as it should be; empty when all is well."""
    reasons = {engine.label(each): complaint(each) for each in found}
    return {name: reason for name, reason in reasons.items() if reason}


def complaint(container: Container) -> str:
    """Return what is wrong with one container; empty when nothing is."""
    state, health = container["State"], container["State"].get("Health", {})
    said = f"{state['Status']} ({state['ExitCode']})"
    if engine.service_of(container) in ONE_SHOTS:
        ended_well = state["Status"] == "exited" and state["ExitCode"] == 0
        return "" if ended_well else f"{said}, should have ended well"
    if not state["Running"] or state.get("Restarting"):
        return said
    if health.get("Status") in (None, "healthy"):
        return ""
    last_check = (health.get("Log") or [{"Output": "not asked yet"}])[-1]
    return f"{health['Status']}: {last_check['Output'].strip()[-300:]}"


def settled(seconds: float) -> bool:
    """Wait until nothing is unwell. Returns whether that came about."""
    deadline = time.monotonic() + seconds
    while unwell(shop_containers()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _why_not() -> str:
    """Show the end of the logs of what is not well, and say why."""
    found = [each for each in shop_containers() if complaint(each)]
    if found:
        services = sorted({engine.service_of(each) for each in found})
        engine.compose("logs", "--no-color", "--tail", "20", *services, check=False)
    what_now = "what runs is left running (`make status`, `make logs`, `make down`)"
    lines = [f"  {name}: {reason}" for name, reason in unwell(found).items()]
    return "\n".join([f"not up after {WAIT_SECONDS} s; {what_now}", *lines])


def address(service: str = "gateway", port: str = "8080") -> str:
    """Return where clients find the gateway, or another service that is published."""
    found = engine.output("port", service, port).strip()
    if not found:
        raise CommandError("Souk is down: `make up` first")
    host, _, port = found.rpartition(":")
    is_any = host in ("0.0.0.0", "::", "[::]")  # noqa: S104  # nosec B104: what docker says
    return f"http://{'127.0.0.1' if is_any else host}:{port}"


def scale(service: str, process: str, count: int) -> None:
    """Run `count` containers of a process from now on; .env remembers it for the next `up`."""
    name = f"{service}-{process}"
    if name not in engine.output("config", "--services").split():
        raise CommandError(f"there is no {name}")
    if name not in SCALABLE:
        raise CommandError(f"{name} cannot be scaled: it must run alone")
    if count < 1:
        stop = f"`docker compose stop {name}` stops a process"
        raise CommandError(f"N is {count}: use 1 or more ({stop})")
    if process == "web":
        connections.check_scale(environment(), count)
    dotenv.set_values({f"{name.upper().replace('-', '_')}_SCALE": str(count)})
    words = ("--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"{name}={count}")
    engine.compose("up", *words, name)
