"""Up, down, wipe."""

import shutil
import subprocess
import sys
import time

from native import (
    environment,
    files,
    home,
    migrations,
    packages,
    ports,
    postgres,
    processes,
    programs,
    rabbitmq,
    readiness,
    redis,
    run,
    supervisor,
    variables,
)
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, Layout
from native.progress import say

DEADLINE_SECONDS = 120
WELL = ("RUNNING", "STARTING")


def up(layout: Layout) -> bool:
    """Brings the whole shop up. Returns False when it was up already, and nothing was done.

    Raises:
        Cannot: something is missing, failed, or is not ready in time.
    """
    home.settle(layout)
    home.check_usable(layout)
    packages.ensure()
    environment.ensure()
    with files.locked(layout.state):
        if supervisor.answers(layout):
            return revive(layout)
        clear(layout)
        layout.make()
        home.stamp(layout)
        chosen = ports.choose(layout)
        start_servers(layout, chosen, for_tests=False)
        start_services(layout)
        wait_ready(layout, chosen)
    return True


def clear(layout: Layout) -> None:
    """Ends what a killed supervisor has left running."""
    if processes.of_stack(layout):
        count = processes.end(layout)
        say(f"ended {count} processes of a stack that was not shut down")


def start_servers(layout: Layout, chosen: ports.Ports, *, for_tests: bool) -> None:
    """Starts PostgreSQL, RabbitMQ and Redis under a supervisor, with everything in them that the services need."""
    variables.write(layout, chosen)
    postgres.prepare(layout, chosen, forgetful=for_tests)
    rabbitmq.prepare(layout, chosen, bare=for_tests)
    redis.prepare(layout, chosen)
    if not for_tests:
        render_gateway(layout)
        clear_metrics(layout)
    wanted = programs.servers(layout) if for_tests else programs.everything(layout)
    files.write(layout.supervisor_conf, programs.configuration(layout, wanted))
    supervisor.start(layout)
    say("supervisor runs; PostgreSQL, RabbitMQ and Redis are starting")
    postgres.wait(layout, chosen)
    postgres.make_databases(layout, chosen)
    say(f"PostgreSQL answers on port {chosen['postgres']}")
    if not for_tests:
        migrations.run_all(layout)
    rabbitmq.wait(layout, chosen)
    say(f"RabbitMQ answers on port {chosen['amqp']}")
    if not redis.answers(layout, chosen):
        raise Cannot(f"Redis does not answer: see {layout.log / 'redis.log'}")


def start_services(layout: Layout) -> None:
    wanted = [program.name for program in (*programs.services(layout), *programs.gateway(layout))]
    supervisor.start_programs(layout, wanted)
    say(f"{', '.join(wanted)} are starting")


def render_gateway(layout: Layout) -> None:
    """nginx's configuration from the gateway's templates."""
    command = [sys.executable, str(REPOSITORY / "gateway" / "render.py"), str(layout.gateway)]
    done = subprocess.run(
        command, env=run.environment(layout, "gateway"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Cannot(done.stderr.strip())


def clear_metrics(layout: Layout) -> None:
    """Counters of processes that are no more: they may only be dropped when none of the service runs."""
    for name in SERVICES:
        shutil.rmtree(layout.metrics / name, ignore_errors=True)
        (layout.metrics / name).mkdir(mode=0o700)


def wait_ready(layout: Layout, chosen: ports.Ports) -> None:
    """Waits until every service says it is ready, naming each when it is.

    Raises:
        Cannot: it takes too long; says which, why, and the end of their logs.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    told: set[str] = set()
    while time.monotonic() < deadline:
        waiting = readiness.not_ready(chosen)
        for name in sorted(set(SERVICES) | {"gateway"} - told):
            if name not in waiting and name not in told:
                told.add(name)
                say(f"{name} is ready")
        down = [found for found in supervisor.processes_of(layout) if found.state != "RUNNING"]
        if not waiting and not down:
            _tell_attention(chosen)
            return
        time.sleep(0.3)
    raise Cannot(_why_not(layout, waiting, down))


def _tell_attention(chosen: ports.Ports) -> None:
    """What waits for a person does not hold up a start, but is told."""
    for name, found in readiness.findings(chosen).items():
        if found.attention:
            say(f"{name} wants attention: {found.attention}")


def _why_not(layout: Layout, waiting: dict[str, str], down: list[supervisor.Process]) -> str:
    lines = [
        f"not up after {DEADLINE_SECONDS} s; what runs is left running (`make status`, `make logs`, `make down`)"
    ]
    lines += [f"  {name}: {reason}" for name, reason in waiting.items()]
    for found in down:
        tail = migrations.last_lines(layout.log / f"{found.name}.log", 15)
        lines.append(f"  {found.name} is {found.state} ({found.note}); its log ends:\n{tail}")
    return "\n".join(lines)


def revive(layout: Layout) -> bool:
    """Starts what is down in a running stack. Returns False when nothing was."""
    chosen = ports.recorded(layout)
    down = [found for found in supervisor.processes_of(layout) if found.state not in WELL]
    waiting = readiness.not_ready(chosen)
    if not down and not waiting:
        return False
    for found in down:
        say(f"{found.name} was {found.state}: starting it")
    for name, reason in waiting.items():
        say(f"{name} is not ready: {reason}")
    supervisor.start_programs(layout, [found.name for found in down if found.name in programs.SERVERS])
    postgres.wait(layout, chosen)
    postgres.make_databases(layout, chosen)
    rabbitmq.wait(layout, chosen)
    migrations.run_all(layout)
    supervisor.start_programs(layout, [found.name for found in down])
    wait_ready(layout, chosen)
    return True


def down(layout: Layout) -> bool:
    """Stops everything, keeps the data. Returns False when nothing ran."""
    if not layout.state.exists():
        return False
    home.settle(layout)
    with files.locked(layout.state):
        ran = supervisor.answers(layout)
        if ran:
            _stop_in_order(layout)
        left = processes.wait_gone(layout, 10 if ran else 0)
        if left:
            processes.end(layout)
            say(f"ended {len(left)} processes that nobody watched any more")
    return ran or bool(left)


def _stop_in_order(layout: Layout) -> None:
    """The services first, so that they can give back what they hold; the servers last."""
    names = {found.name for found in supervisor.processes_of(layout)}
    servers = names & programs.SERVERS
    if names - servers:
        supervisor.stop_programs(layout, names - servers)
        say("services have stopped")
    supervisor.stop_programs(layout, servers)
    supervisor.shut_down(layout)


def wipe(layout: Layout) -> None:
    """Stops everything and deletes the data, the secrets too."""
    down(layout)
    if not layout.state.exists():
        return
    for folder in (postgres.data(layout), layout.run, layout.state):
        shutil.rmtree(folder, ignore_errors=True)
