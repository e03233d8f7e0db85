"""The environment of every process: what compose.yaml gives its container, with this stack's
secrets and addresses.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from native.layout import Layout
from native.ports import Ports
from souk import dotenv
from souk.checkout import REPOSITORY, SERVICES, STAFF_EMAIL
from souk.files import random_fernet_key, write_file, write_variables

HOST = "127.0.0.1"
#: A variable of compose.yaml: ${NAME:-default} or ${NAME:?what to do}.
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*)|:\?[^}]*)?\}")
#: Compose's secrets and the files that hold ours; {} is a service, or admin.
SECRETS = {
    "POSTGRES_PASSWORD_(.*)": "postgres-postgres",
    "DB_PASSWORD_(.*)": "postgres-{}",
    "BROKER_PASSWORD_(.*)": "rabbitmq-{}",
    "SECRET_KEY_(.*)": "django-{}",
    "REDIS_PASSWORD": "redis",
    "STAFF_PASSWORD": "staff",
}


@functools.cache
def _containers() -> dict[str, Any]:
    import yaml  # in .venv

    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    return found


def container(
    layout: Layout, ports: Ports, name: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a container, as it is natively."""

    def value(found: re.Match[str]) -> str:
        own = _secret(layout, found[1])
        return own or environment.get(found[1]) or found[2] or ""

    addresses = {"rabbitmq:5672": "amqp", "rabbitmq:15672": "broker_api", "redis:6379": "redis"}
    addresses |= {f"{service}-web:8000": service for service in SERVICES}
    addresses |= {f"{service}-db:5432": "postgres" for service in SERVICES}
    addresses |= {"gateway:8080": "gateway", "mailsink:1025": "mail", "orders-live:8000": "live"}
    variables = {}
    for variable, template in _containers()[name]["environment"].items():
        text = VARIABLE.sub(value, str(template))
        for address, port in addresses.items():
            text = text.replace(address, f"{HOST}:{ports[port]}")
        variables[variable] = text
    return variables


def _secret(layout: Layout, name: str) -> str:
    """Return our secret for a variable, empty if it is no secret; never compose's, from .env."""
    if name == "KEY_ENCRYPTION_KEY":
        return layout.secret("key-encryption", random_fernet_key)
    for pattern, file in SECRETS.items():
        found = re.fullmatch(pattern, name)
        if found:
            return layout.secret(file.format(*(group.lower() for group in found.groups())))
    return ""


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def service(
    layout: Layout, ports: Ports, name: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return all variables of one service's processes."""
    found = container(layout, ports, f"{name}-web", environment)
    own: dict[str, object] = {"MEDIA_DIR": layout.media, "GATEWAY_PORT": ports["gateway"]}
    own["JWKS_CACHE_FILE"] = layout.run / f"jwks-{name}.json"
    found |= {variable: str(value) for variable, value in own.items() if variable in found}
    return found | {
        "SERVICE": name,
        "WEB_BIND": f"{HOST}:{ports[name]}",
        "LIVE_BIND": f"{HOST}:{ports['live']}",
        "PROMETHEUS_MULTIPROC_DIR": str(layout.metrics / name),
        "ALLOWED_HOSTS": environment.get("ALLOWED_HOSTS", ""),
    }


def one_shot(layout: Layout, ports: Ports, name: str) -> dict[str, str]:
    """Return what a one-shot container has, with a superuser's rights where it has them."""
    found = container(layout, ports, name, {"STAFF_EMAIL": STAFF_EMAIL})
    owner = name.removesuffix("-migrate")
    if owner in SERVICES:
        found |= service(layout, ports, owner, dotenv.effective())
    return found


def gateway(layout: Layout, ports: Ports, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the gateway's templates."""
    bind = environment.get("GATEWAY_BIND") or HOST
    found = container(layout, ports, "gateway", {"WORKER_PROCESSES": "auto", **environment})
    # A proxy in front brings others, wherever the gateway listens.
    is_open = not dotenv.is_loopback(bind) or found["TRUSTED_PROXIES"] not in ("", "none")
    for name, limit in dotenv.LOOPBACK_LIMITS.items():
        if not is_open:
            found[name] = found[name] or limit
        elif found[name] == limit:  # which `make env` wrote for a loopback address
            found[name] = ""
    own = {"GATEWAY_LISTEN": f"{bind}:{ports['gateway']}", "MEDIA_DIR": str(layout.media)}
    own["RUN_DIR"] = str(layout.run / "gateway")
    return {name: text for name, text in (found | own).items() if text}


def mailsink(layout: Layout, ports: Ports) -> dict[str, str]:
    """Return where the mail sink takes mails and shows them: here alone, for they hold tokens."""
    found = container(layout, ports, "mailsink", {})
    own = {"MAIL_SINK_SMTP": ports["mail"], "MAIL_SINK_PAGE": ports["mail_page"]}
    return found | {name: f"{HOST}:{port}" for name, port in own.items()}


def operations(layout: Layout, ports: Ports) -> dict[str, str]:
    """Return what audit, demo, suites and benchmarks need: every right there is."""
    return {
        **container(layout, ports, "ops", {"STAFF_EMAIL": STAFF_EMAIL}),
        "SOUK_STATE_DIR": str(layout.state),
        "SOUK_MAIL_URL": base_url(ports["mail_page"]),
        **{f"{name.upper()}_URL": base_url(ports[name]) for name in SERVICES},
    }


def write(layout: Layout, ports: Ports) -> None:
    """Write all files of .souk/env."""
    environment = dotenv.effective()
    for name in SERVICES:
        write_variables(layout.env / f"{name}.env", service(layout, ports, name, environment))
    write_variables(layout.env / "gateway.env", gateway(layout, ports, environment))
    write_variables(layout.env / "mailsink.env", mailsink(layout, ports))
    write_variables(layout.env / "ops.env", operations(layout, ports))
    write_file(layout.address, base_url(ports["gateway"]) + "\n", mode=0o644)
