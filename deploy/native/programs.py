"""What supervisor runs, and its configuration file."""

import os
import shlex
from dataclasses import asdict, dataclass

from native import packages, postgres
from native.layout import Layout, fill_template
from souk.checkout import PROCESSES, PYTHON, REPOSITORY

#: They start first, by themselves, and stop last: what the services need.
SERVERS = frozenset({"postgres", "rabbitmq", "redis"})


@dataclass(frozen=True)
class Program:
    """One line of `make status`."""

    name: str
    command: list[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    user: str | None = None


def servers(layout: Layout) -> list[Program]:
    redis_conf = str(layout.plain(layout.redis) / "redis.conf")
    node = with_variables("rabbitmq", str(packages.RABBITMQ))
    return [
        Program("postgres", postgres.command(layout), "INT", 60, postgres.account()),
        Program("rabbitmq", node, stop_seconds=60),
        Program("redis", [packages.program("redis-server"), redis_conf]),
    ]


def services(layout: Layout) -> list[Program]:
    """Return the services' processes, by their containers' commands; the gateway, the mail sink."""
    start = [REPOSITORY / "gateway" / "start", layout.plain(layout.gateway), layout.run / "gateway"]
    found = [Program("gateway", with_variables("gateway", *map(str, start)), "QUIT")]
    sink = ("python", str(REPOSITORY / "tools" / "mailsink"))
    found.append(Program("mailsink", with_variables("mailsink", *sink)))
    for name in PROCESSES:
        service, _, process = name.partition("-")
        words = (str(REPOSITORY / "deploy" / "image" / "run"), process)
        found.append(Program(name, with_variables(service, *words)))
    return found


def with_variables(name: str, *command: str) -> list[str]:
    """Return the command that runs this command with the variables of .souk/env/NAME.env.

    They are read when it starts, so that no secret stands in supervisor's configuration.
    """
    return [str(PYTHON), str(REPOSITORY / "deploy" / "souk"), "run", name, "--", *command]


def configuration(layout: Layout, programs: list[Program]) -> str:
    """Return supervisord.conf.

    Nothing but the servers starts by itself: the databases must be migrated first.
    """
    log = layout.plain(layout.log)
    user = "user=root" if os.geteuid() == 0 else ""
    text = fill_template("supervisord.conf", run=layout.run, log=log, user=user)
    for program in programs:
        command = shlex.join(program.command).replace("%", "%%")
        autostart = str(program.name in SERVERS).lower()
        values = {"command": command, "autostart": autostart, "log": log}
        values["user"] = f"user={program.user}" if program.user else ""
        text += fill_template("program.conf", **asdict(program) | values)
    return text
