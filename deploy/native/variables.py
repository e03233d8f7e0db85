"""The environment variables of every process, and of whoever looks after the stack."""

import ipaddress
import os
from collections.abc import Mapping

from native import files, secret_store
from native.layout import REPOSITORY, SERVICES, Layout
from native.ports import Ports
from native.secret_store import secret

HOST = "127.0.0.1"
VHOST = "souk"
STAFF_EMAIL = "staff@example.com"
# What a person may set for the whole stack, in the environment or in .env; .env.example says what each one does.
TUNABLE = (
    "LOG_LEVEL", "DEBUG", "TOKEN_ISSUER", "TOKEN_AUDIENCE", "WEB_THREADS", "WEB_PROCESSES", "ORDER_DEADLINE_SECONDS",
    "RELAY_BATCH", "CONSUMER_BATCH", "ALLOWED_HOSTS",
)  # fmt: skip
TUNABLE_GATEWAY = (
    "TOKEN_ISSUER", "TOKEN_AUDIENCE", "GATEWAY_HOSTS", "WORKER_PROCESSES",
    "LIMIT_API_RATE", "LIMIT_API_BURST", "LIMIT_SEARCH_RATE", "LIMIT_SEARCH_BURST", "LIMIT_AUTH_RATE", "LIMIT_AUTH_BURST",
    "LIMIT_SESSION_RATE", "LIMIT_SESSION_BURST", "LIMIT_CONNECTIONS", "LIMIT_BODIES", "KEYS_REFRESH", "KEYS_COOLDOWN", "HOLD_SECONDS",
    "TRUSTED_PROXIES",
)  # fmt: skip
GENEROUS_LIMITS = files.read_variables(REPOSITORY / "gateway" / "loopback-limits.env")


def asked(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the environment and .env say; the environment wins."""
    return {**files.read_variables(REPOSITORY / ".env"), **environment}


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def database_url(layout: Layout, ports: Ports, database: str, user: str | None = None) -> str:
    """The URL of a database for its own role, or for `user`."""
    user = user or database
    return f"postgres://{user}:{secret(layout, f'postgres-{user}')}@{HOST}:{ports['postgres']}/{database}"


def broker_url(layout: Layout, ports: Ports, user: str, vhost: str = VHOST) -> str:
    return f"amqp://{user}:{secret(layout, f'rabbitmq-{user}')}@{HOST}:{ports['amqp']}/{vhost}"


def broker_api_url(layout: Layout, ports: Ports) -> str:
    """The management API, for the admin."""
    return f"http://admin:{secret(layout, 'rabbitmq-admin')}@{HOST}:{ports['broker_api']}"


def redis_url(layout: Layout, ports: Ports, number: int = 0) -> str:
    return f"redis://:{secret(layout, 'redis')}@{HOST}:{ports['redis']}/{number}"


def service(layout: Layout, ports: Ports, name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """All variables of one service's processes."""
    variables = {
        "SECRET_KEY": secret(layout, f"django-{name}"),
        "DATABASE_URL": database_url(layout, ports, name),
        "BROKER_URL": broker_url(layout, ports, name),
        "JOBS_BROKER_URL": broker_url(layout, ports, name, f"{name}-jobs"),
        "REDIS_URL": redis_url(layout, ports, SERVICES.index(name)),
        "WEB_BIND": f"{HOST}:{ports[name]}",
        "PROMETHEUS_MULTIPROC_DIR": str(layout.metrics / name),
        "JWKS_URL": f"{base_url(ports['users'])}/.well-known/jwks.json",
        "JWKS_CACHE_FILE": str(layout.run / f"jwks-{name}.json"),
    }
    if name == "users":
        variables["KEY_ENCRYPTION_KEY"] = secret(layout, "key-encryption", secret_store.fernet_key)
        del variables["JWKS_URL"], variables["JWKS_CACHE_FILE"]
    if name == "orders":
        variables["PRODUCTS_URL"] = base_url(ports["products"])
    return variables | {key: environment[key] for key in TUNABLE if environment.get(key)}


def gateway(layout: Layout, ports: Ports, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the gateway's templates."""
    upstreams = {f"{name.upper()}_UPSTREAM": f"{HOST}:{ports[name]}" for name in SERVICES}
    bind = environment.get("GATEWAY_BIND") or HOST
    asked_for = {key: environment[key] for key in TUNABLE_GATEWAY if environment.get(key)}
    # A proxy in front brings others, wherever the gateway listens.
    if is_loopback(bind) and environment.get("TRUSTED_PROXIES", "none") in ("", "none"):
        asked_for = {**GENEROUS_LIMITS, **asked_for}
    else:
        # What `make env` wrote for a loopback address is no wish for an open gateway.
        asked_for = {key: value for key, value in asked_for.items() if GENEROUS_LIMITS.get(key) != value}
    return {
        "GATEWAY_LISTEN": f"{bind}:{ports['gateway']}",
        "RUN_DIR": str(layout.run / "gateway"),
        **upstreams,
        **asked_for,
    }


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return address == "localhost" or ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def operations(layout: Layout, ports: Ports) -> dict[str, str]:
    """What audit, demo, end-to-end tests and benchmarks need: every right there is."""
    databases = {
        f"OPS_DATABASE_URL_{name.upper()}": database_url(layout, ports, name, "postgres") for name in SERVICES
    }
    return {
        **databases,
        "OPS_BROKER_URL": broker_url(layout, ports, "admin"),
        "OPS_BROKER_API_URL": broker_api_url(layout, ports),
        "GATEWAY_URL": base_url(ports["gateway"]),
        "STAFF_EMAIL": STAFF_EMAIL,
        "STAFF_PASSWORD": secret(layout, "staff"),
        "SOUK_STATE_DIR": str(layout.state),
        **{f"{name.upper()}_URL": base_url(ports[name]) for name in SERVICES},
    }


def write(layout: Layout, ports: Ports) -> None:
    """Writes all files of .souk/env."""
    environment = asked()
    for name in SERVICES:
        files.write_variables(layout.env / f"{name}.env", service(layout, ports, name, environment))
    files.write_variables(layout.env / "gateway.env", gateway(layout, ports, environment))
    files.write_variables(layout.env / "ops.env", operations(layout, ports))
    files.write(layout.address, base_url(ports["gateway"]) + "\n", mode=0o644)
