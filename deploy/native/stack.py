"""Starts a native stack: its servers, what is in them, its services; each when the last is well."""

import functools
import os
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from native import (
    home,
    ports,
    postgres,
    processes,
    programs,
    rabbitmq,
    redis,
    run,
    supervisor,
    variables,
)
from native.layout import Layout
from souk import commands, readiness
from souk.checkout import REPOSITORY, SERVICES
from souk.console import CommandError, last_lines, log_step, wait_until
from souk.files import write_file
from souk.readiness import Finding

DEADLINE_SECONDS = 120
IMAGE = REPOSITORY / "deploy" / "image"
#: The one-shot containers, with what runs in each.
ONE_SHOTS = {
    **{f"{name}-migrate": ("migrate",) for name in SERVICES},
    "broker-setup": ("broker", "--topology", str(REPOSITORY / "deploy" / "topology.json")),
}


def start_servers(
    layout: Layout, environment: Mapping[str, str] = os.environ, *, for_tests: bool = False
) -> ports.Ports:
    """Start PostgreSQL, RabbitMQ and Redis under a new supervisor, and wait for them.

    The services are known to it and do not run yet; for tests there are none.
    """
    left = processes.end(layout)
    if left:
        log_step(f"ended {left} processes of a stack that was not shut down")
    layout.make()
    home.stamp(layout)
    chosen = ports.choose(layout, environment)
    variables.write(layout, chosen)
    postgres.prepare(layout, chosen, forgetful=for_tests)
    rabbitmq.prepare(layout, chosen)
    redis.prepare(layout, chosen)
    wanted = programs.servers(layout)
    if not for_tests:
        wanted += programs.services(layout)
        render_gateway(layout)
        clear_metrics(layout)
    write_file(layout.supervisor_conf, programs.configuration(layout, wanted))
    supervisor.start(layout)
    log_step("supervisor runs; PostgreSQL, RabbitMQ and Redis are starting")
    wait_for_servers(layout, chosen)
    return chosen


def wait_for_servers(layout: Layout, chosen: ports.Ports) -> None:
    """Wait until each takes connections."""
    servers = {"PostgreSQL": (postgres.answers, "postgres", "postgres")}
    servers["RabbitMQ"] = (rabbitmq.answers, "amqp", "rabbitmq")
    servers["Redis"] = (redis.answers, "redis", "redis")
    for name, (answers, port, program) in servers.items():
        reason = f"{name} does not answer: see {layout.log / program}.log"
        wait_until(functools.partial(answers, layout, chosen), 90, reason)
        log_step(f"{name} answers on port {chosen[port]}")


def render_gateway(layout: Layout) -> None:
    """Write nginx's configuration from the gateway's templates."""
    command = [REPOSITORY / "gateway" / "container-entry", "--render", layout.gateway]
    commands.run_checked("gateway", command, variables=run.environment(layout, "gateway"))


def clear_metrics(layout: Layout) -> None:
    """Drop the counters of earlier processes, as may only be done when none of them runs."""
    for name in SERVICES:
        shutil.rmtree(layout.metrics / name, ignore_errors=True)
        (layout.metrics / name).mkdir(mode=0o700)


def prepare_services(layout: Layout, chosen: ports.Ports) -> None:
    """Do what the one-shot containers do, at once: databases, migrations, first rows, broker."""

    def do(name: str) -> str:
        owner = name.removesuffix("-migrate") if name.endswith("-migrate") else "users"
        own = variables.one_shot(layout, chosen, name)
        known = {**run.environment(layout, owner), **own}
        command = [IMAGE / "run", *ONE_SHOTS[name]]
        return commands.run_checked(name, command, folder=run.folder(owner), variables=known)

    with ThreadPoolExecutor(len(ONE_SHOTS)) as pool:
        said = list(pool.map(do, ONE_SHOTS))
    write_file(layout.log / "migrate.log", "".join(said))
    log_step("databases are migrated, the broker has its queues")


def findings(chosen: ports.Ports) -> dict[str, Finding]:
    """Return what each service and the gateway say of themselves."""
    paths = {**dict.fromkeys(SERVICES, "/readyz"), "gateway": "/healthz"}
    health = str(IMAGE / "health")
    return {
        name: readiness.check([health, "web", path], {"WEB_PORT": str(chosen[name])})
        for name, path in paths.items()
    }


def start_services(layout: Layout, chosen: ports.Ports) -> None:
    """Start them, and wait until each says it is ready; name each when it is.

    What waits for a person does not hold up a start, but is told.
    """
    names = [program.name for program in programs.services(layout)]
    supervisor.start_programs(layout, names)
    log_step(f"{', '.join(names)} are starting")
    deadline, told = time.monotonic() + DEADLINE_SECONDS, set[str]()
    while True:
        found = findings(chosen)
        ready = {name for name, finding in found.items() if not finding.not_ready}
        for name in sorted(ready - told):
            log_step(f"{name} is ready")
        told |= ready
        down = [each for each in supervisor.processes_of(layout) if each.state != "RUNNING"]
        if ready == found.keys() and not down:
            break
        if time.monotonic() > deadline:
            raise CommandError(_why_not(layout, found, down))
        time.sleep(0.3)
    for name, finding in found.items():
        if finding.attention:
            log_step(f"{name} wants attention: {finding.attention}")


def _why_not(layout: Layout, found: dict[str, Finding], down: list[supervisor.Process]) -> str:
    lines = [
        f"not up after {DEADLINE_SECONDS} s; what runs is left running"
        " (`make status`, `make logs`, `make down`)"
    ]
    lines += [f"  {name}: {each.not_ready}" for name, each in found.items() if each.not_ready]
    for process in down:
        log = layout.log / f"{process.name}.log"
        tail = last_lines(log.read_text(errors="replace") if log.exists() else "", 15)
        lines.append(f"  {process.name} is {process.state} ({process.note}); its log ends:\n{tail}")
    return "\n".join(lines)
