"""PostgreSQL, RabbitMQ and Redis for tests, in containers that forget everything.

Their ports are open on the loopback address only. They outlive this process and are found again by
their label, so a run that was killed leaves nothing for good: `stop` (and the next `start`) removes
what bears the owner's label. That is what Ryuk would do, whose image is not everywhere.
"""

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
# Inside a container the library would ask at the bridge, where nothing is published.
os.environ["TESTCONTAINERS_CONNECTION_MODE"] = "docker_host"
os.environ["TESTCONTAINERS_HOST_OVERRIDE"] = "127.0.0.1"

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy

from souk.checkout import POSTGRESQL_SETTINGS

LABEL = "org.souk.tests"
ADMIN = "admin"
WAIT = timedelta(seconds=90)
#: A crash may lose the cluster.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PG_ISREADY = ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"]
LISTENS = "/api/health/checks/port-listener/5672"


def start(owner: str, images: Mapping[str, str]) -> dict[str, str]:
    """Start fresh containers of the images POSTGRES_IMAGE, RABBITMQ_IMAGE, REDIS_IMAGE.

    Returns:
        The variables that tests read.
    """
    stop(owner)
    password = secrets.token_hex(16)
    postgres = _container(images["POSTGRES_IMAGE"], owner, "/var/lib/postgresql/data", 5432)
    postgres.with_command(["postgres", *_settings()]).with_env("POSTGRES_PASSWORD", password)
    rabbitmq = _container(images["RABBITMQ_IMAGE"], owner, "/var/lib/rabbitmq", 5672, 15672)
    rabbitmq.with_envs(RABBITMQ_DEFAULT_USER=ADMIN, RABBITMQ_DEFAULT_PASS=password)
    redis = _container(images["REDIS_IMAGE"], owner, "/data", 6379)
    redis.with_command(["redis-server", "--requirepass", password, "--save", ""])
    ready = {
        postgres: ExecWaitStrategy(PG_ISREADY),
        rabbitmq: HttpWaitStrategy(15672, LISTENS).with_basic_credentials(ADMIN, password),
        redis: ExecWaitStrategy(["redis-cli", "-a", password, "ping"]),
    }
    for container in ready:
        container.start()
    for container, strategy in ready.items():
        strategy.with_startup_timeout(WAIT).wait_until_ready(container)
    database, broker, api, cache = (
        f"127.0.0.1:{container.get_exposed_port(port)}"
        for container, port in (
            (postgres, 5432),
            (rabbitmq, 5672),
            (rabbitmq, 15672),
            (redis, 6379),
        )
    )
    return {
        "TEST_DATABASE_URL": f"postgres://postgres:{password}@{database}/postgres",
        "TEST_BROKER_URL": f"amqp://{ADMIN}:{password}@{broker}/%2F",
        "TEST_BROKER_ADMIN_URL": f"http://{ADMIN}:{password}@{api}",
        "TEST_REDIS_URL": f"redis://:{password}@{cache}/0",
    }


def stop(owner: str) -> int:
    """Remove the owner's containers. Returns how many there were."""
    label = {"label": f"{LABEL}={owner}"}
    found = docker.from_env().containers.list(all=True, filters=label)
    for container in found:
        container.remove(force=True, v=True)
    return len(found)


def _container(image: str, owner: str, data: str, *ports: int) -> DockerContainer:
    """Describe a container; its data live in memory, mode 1777 because each image has its user."""
    container = DockerContainer(image)
    container.with_kwargs(labels={LABEL: owner}).with_tmpfs_mount(data, "mode=1777,size=2g")
    # Not with_bind_ports, which knows no address: any free port of the loopback address.
    container.ports.update({f"{port}/tcp": ("127.0.0.1", None) for port in ports})
    return container


def _settings() -> list[str]:
    values = POSTGRESQL_SETTINGS | FORGETFUL | {"max_connections": "200"}
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
