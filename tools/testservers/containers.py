"""PostgreSQL, RabbitMQ and Redis for tests, in containers that forget everything, with ports on the
loopback address only.

They outlive this process and are found again by their label, so a run that was killed leaves
nothing for good: `stop` (and the next `start`) removes what bears the owner's label. That is what
Ryuk would do, whose image is not everywhere.
"""

import argparse
import json
import os
import secrets
import socket
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

import docker
import psycopg
from testcontainers.core.container import DockerContainer

LABEL = "org.souk.tests"
ADMIN = "admin"
WAIT_SECONDS = 90
# A crash loses the cluster, and nobody minds.
POSTGRES = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c timezone=UTC"


def start(owner: str) -> dict[str, str]:
    """Starts fresh ones. Returns the variables that tests read; images come from POSTGRES_IMAGE,
    RABBITMQ_IMAGE, REDIS_IMAGE.
    """
    stop(owner)
    password = secrets.token_hex(16)
    postgres = _container("POSTGRES_IMAGE", owner, 5432, "/var/lib/postgresql/data").with_command(
        POSTGRES
    )
    postgres.with_env("POSTGRES_PASSWORD", password)
    rabbitmq = _container("RABBITMQ_IMAGE", owner, 5672, "/var/lib/rabbitmq", 15672)
    rabbitmq.with_env("RABBITMQ_DEFAULT_USER", ADMIN).with_env("RABBITMQ_DEFAULT_PASS", password)
    redis = _container("REDIS_IMAGE", owner, 6379, "/data")
    redis.with_command(f"redis-server --requirepass {password} --save ''")
    for each in (postgres, rabbitmq, redis):
        each.start()
    found = {
        "TEST_DATABASE_URL": f"postgres://postgres:{password}@127.0.0.1:{_port(postgres, 5432)}/postgres",
        "TEST_BROKER_URL": f"amqp://{ADMIN}:{password}@127.0.0.1:{_port(rabbitmq, 5672)}/%2F",
        "TEST_BROKER_ADMIN_URL": f"http://{ADMIN}:{password}@127.0.0.1:{_port(rabbitmq, 15672)}",
        "TEST_REDIS_URL": f"redis://:{password}@127.0.0.1:{_port(redis, 6379)}/0",
    }
    _wait("PostgreSQL", lambda: _postgres_answers(found["TEST_DATABASE_URL"]))
    _wait("RabbitMQ", lambda: _rabbitmq_answers(int(_port(rabbitmq, 15672)), password))
    _wait("Redis", lambda: _redis_answers(int(_port(redis, 6379)), password))
    return found


def stop(owner: str) -> int:
    """Removes the owner's containers. Returns how many there were."""
    found = docker.from_env().containers.list(all=True, filters={"label": f"{LABEL}={owner}"})
    for each in found:
        each.remove(force=True, v=True)
    return len(found)


def _container(image: str, owner: str, port: int, data: str, *more_ports: int) -> DockerContainer:
    """The data live in memory; mode 1777 because each image has a user of its own."""
    container = DockerContainer(os.environ[image])
    container.with_kwargs(labels={LABEL: owner}).with_tmpfs_mount(data, "mode=1777,size=2g")
    # Not with_bind_ports, which knows no address: any free port of the loopback address.
    container.ports.update({f"{each}/tcp": ("127.0.0.1", None) for each in (port, *more_ports)})
    return container


def _port(container: DockerContainer, port: int) -> str:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    return str(wrapped.ports[f"{port}/tcp"][0]["HostPort"])


def _wait(name: str, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{name} does not answer after {WAIT_SECONDS} s: docker logs says why"
            )
        time.sleep(0.1)


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def _rabbitmq_answers(port: int, password: str) -> bool:
    login = b64encode(f"{ADMIN}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/health/checks/port-listener/5672",
        headers={"Authorization": f"Basic {login}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # nosec B310: our own http address
            return bool(answer.status == 200)
    except OSError:
        return False


def _redis_answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as link:
            link.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with link.makefile("rb") as lines:
                return lines.readline() == b"+OK\r\n" and lines.readline() == b"+PONG\r\n"
    except OSError:
        return False


def main() -> int:
    """Runs one command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools/testservers")
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("owner", help="whose containers: one set each")
    options = parser.parse_args()
    if options.command == "stop":
        stop(options.owner)
        return 0
    try:
        json.dump(start(options.owner), sys.stdout)
    except BaseException:
        stop(options.owner)
        raise
    return 0
