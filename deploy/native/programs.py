"""What supervisor runs, in which order it stops, and its configuration file."""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from native import packages, postgres, rabbitmq
from native.layout import REPOSITORY, SERVICES, VENV, Layout

HERE = Path(__file__).resolve().parent
GUNICORN = ("gunicorn", "-c", "python:servicekit.gunicorn_conf")
SERVERS = frozenset({"postgres", "epmd", "rabbitmq", "redis"})
# Supervisor gives up after this many failures in a row: never, in the life of a stack.
RETRIES = 1_000_000


@dataclass(frozen=True)
class Program:
    """One line of `make status`."""

    name: str
    command: list[str]
    kind: str  # server, service or gateway
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    user: str | None = None


def servers(layout: Layout) -> list[Program]:
    """What the services need: they start first and stop last."""
    return [
        Program("postgres", postgres.command(layout), "server", "INT", 60, postgres.account()),
        Program("epmd", with_variables("rabbitmq", rabbitmq.epmd_command()), "server"),
        Program("rabbitmq", with_variables("rabbitmq", [str(packages.RABBITMQ)]), "server", stop_seconds=60),
        Program(
            "redis",
            [packages.program("redis-server"), str(layout.plain(layout.redis) / "redis.conf")],
            "server",
        ),
    ]


def services(layout: Layout) -> list[Program]:
    """The three services' processes."""
    found = []
    for name in SERVICES:
        found += [
            _service(f"{name}-web", [*GUNICORN, f"{name}.wsgi"]),
            _service(f"{name}-relay", ["python", "manage.py", "relay"]),
        ]
        if name != "users":
            found.append(_service(f"{name}-consumer", ["python", "manage.py", "consume"]))
        celery = ["celery", "-A", name]
        worker = ["worker", "--pool", "solo", "--without-gossip", "--without-mingle"]
        found += [
            _service(f"{name}-worker", [*celery, *worker]),
            _service(f"{name}-beat", [*celery, "beat", "--pidfile", ""]),
        ]
    return found


def gateway(layout: Layout) -> list[Program]:
    start = [
        str(REPOSITORY / "gateway" / "start"),
        str(layout.plain(layout.gateway)),
        str(layout.run / "gateway"),
    ]
    return [Program("gateway", with_variables("gateway", start), "gateway", "QUIT")]


def everything(layout: Layout) -> list[Program]:
    return [*servers(layout), *services(layout), *gateway(layout)]


def _service(name: str, command: list[str]) -> Program:
    owner = name.partition("-")[0]
    return Program(name, with_variables(owner, [str(VENV / "bin" / command[0]), *command[1:]]), "service")


def with_variables(name: str, command: list[str]) -> list[str]:
    """The command, run with the variables of .souk/env/NAME.env (and in the service's folder): see run.py."""
    python = str(VENV / "bin" / "python") if (VENV / "bin" / "python").exists() else sys.executable
    return [python, str(HERE), "run", name, "--", *command]


def configuration(layout: Layout, programs: list[Program]) -> str:
    """supervisord.conf. Nothing but the servers starts by itself: the databases must be migrated first."""
    parts = [_supervisor(layout), *(_program(layout, program) for program in programs)]
    return "\n".join(parts)


def _supervisor(layout: Layout) -> str:
    return f"""[unix_http_server]
file={layout.supervisor_socket}
chmod=0700

[supervisord]
logfile={layout.plain(layout.log) / "supervisord.log"}
logfile_maxbytes=5MB
logfile_backups=2
pidfile={layout.run / "supervisord.pid"}
directory=/
{"user=root" if os.geteuid() == 0 else ""}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{layout.supervisor_socket}
"""


def _program(layout: Layout, program: Program) -> str:
    command = shlex.join(program.command).replace("%", "%%")
    return f"""[program:{program.name}]
command={command}
autostart={"true" if program.kind == "server" else "false"}
autorestart=true
startsecs=1
startretries={RETRIES}
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={layout.plain(layout.log) / program.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
{f"user={program.user}" if program.user else ""}
"""
