"""PostgreSQL, RabbitMQ and Redis for tests, in containers that forget everything, with ports on the loopback address only.

They outlive this process and bear the label it was given, by which deploy/native/containers.py removes them, those of a killed
run too. That is what Ryuk would do, whose image is not everywhere.
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
from pathlib import Path

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

import docker
import psycopg
from testcontainers.core.container import DockerContainer

ADMIN = "admin"
WAIT_SECONDS = 90
# A crash loses the cluster, and nobody minds.
POSTGRES = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c timezone=UTC"
RABBITMQ_CONF = Path(__file__).resolve().parents[1] / "rabbitmq.conf"
# As in compose.yaml: idle schedulers sleep instead of spinning.
ERLANG = "+sbwt none +sbwtdcpu none +sbwtdio none"


class NotReadyError(Exception):
    """A server that does not answer, with the end of its log."""


def start(label: str) -> dict[str, str]:
    """Starts three; images come from POSTGRES_IMAGE, RABBITMQ_IMAGE and REDIS_IMAGE. Returns the variables that tests read.

    Raises:
        NotReadyError: one has ended, or does not answer in time. What was started is left to the caller to remove.
    """
    password = secrets.token_hex(16)
    postgres, rabbitmq, redis = _postgres(label, password), _rabbitmq(label, password), _redis(label, password)
    for each in (postgres, rabbitmq, redis):
        each.start()
    api = _port(rabbitmq, 15672)
    found = {
        "TEST_DATABASE_URL": f"postgres://postgres:{password}@127.0.0.1:{_port(postgres, 5432)}/postgres",
        "TEST_BROKER_URL": f"amqp://{ADMIN}:{password}@127.0.0.1:{_port(rabbitmq, 5672)}/%2F",
        "TEST_BROKER_ADMIN_URL": f"http://{ADMIN}:{password}@127.0.0.1:{api}",
        "TEST_REDIS_URL": f"redis://:{password}@127.0.0.1:{_port(redis, 6379)}/0",
    }
    _wait(postgres, lambda: _postgres_answers(found["TEST_DATABASE_URL"]))
    _wait(redis, lambda: _redis_answers(_port(redis, 6379), password))
    _wait(rabbitmq, lambda: _rabbitmq_answers(api, password))
    return found


def _postgres(label: str, password: str) -> DockerContainer:
    container = _container("POSTGRES_IMAGE", label, "/var/lib/postgresql/data", 5432)
    return container.with_command(POSTGRES).with_env("POSTGRES_PASSWORD", password)


def _rabbitmq(label: str, password: str) -> DockerContainer:
    container = _container("RABBITMQ_IMAGE", label, "/var/lib/rabbitmq", 5672, 15672)
    container.with_copy_into_container(RABBITMQ_CONF, "/etc/rabbitmq/conf.d/90-souk.conf")
    container.with_env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG)
    return container.with_env("RABBITMQ_DEFAULT_USER", ADMIN).with_env("RABBITMQ_DEFAULT_PASS", password)


def _redis(label: str, password: str) -> DockerContainer:
    container = _container("REDIS_IMAGE", label, "/data", 6379)
    return container.with_command(["redis-server", "--requirepass", password, "--save", ""])


def _container(image: str, label: str, data: str, *ports: int) -> DockerContainer:
    """The data live in memory; mode 1777 because each image has a user of its own."""
    container = DockerContainer(os.environ[image])
    name, _, value = label.partition("=")
    container.with_kwargs(labels={name: value}).with_tmpfs_mount(data, "mode=1777,size=2g")
    # Not with_bind_ports, which knows no address: any free port of the loopback address.
    container.ports.update({f"{port}/tcp": ("127.0.0.1", None) for port in ports})
    return container


def _port(container: DockerContainer, port: int) -> int:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    if not (published := wrapped.ports.get(f"{port}/tcp")):
        raise NotReadyError(_end_of(container))
    return int(published[0]["HostPort"])


def _wait(container: DockerContainer, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not answers():
        wrapped = container.get_wrapped_container()
        wrapped.reload()
        if wrapped.status != "running" or time.monotonic() > deadline:
            raise NotReadyError(_end_of(container))
        time.sleep(0.1)


def _end_of(container: DockerContainer) -> str:
    wrapped = container.get_wrapped_container()
    log = wrapped.logs(tail=30).decode(errors="replace")
    return f"{container.image} is {wrapped.status} and does not answer; its log ends:\n{log}"


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def _rabbitmq_answers(port: int, password: str) -> bool:
    """The AMQP port opens last."""
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
    """Starts them and prints the variables as JSON. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="deploy/testservers")
    parser.add_argument("label", help="NAME=value, which each container bears")
    options = parser.parse_args()
    try:
        json.dump(start(options.label), sys.stdout)
    except (NotReadyError, docker.errors.DockerException) as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0
