"""RabbitMQ's definitions file from the topology: exchanges, queues, bindings, users and rights.

`python -m servicekit.messaging.broker_definitions --topology deploy/topology.json` prints them with
the passwords of the file `--passwords`. With `--apply` they go to the broker at BROKER_ADMIN_URL,
and the passwords come from BROKER_PASSWORD_<USER>.

A service may write only its own exchanges, under its own routing keys; read only its own queues;
bind these only to the event types that the topology names
(docs/adr/0072-consumers-bind-their-own-queues.md); and declare nothing. Its background jobs have
a virtual host of their own, where it may do anything. After rabbitmq.com/docs/access-control.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from servicekit import env
from servicekit.messaging.topology import (
    RETRY_DELAYS,
    UNSUBSCRIBED,
    Topology,
    dead_name,
    dead_queue_arguments,
    exchange_name,
    jobs_vhost,
    redrive_name,
    retry_name,
    retry_queue_arguments,
    return_bindings,
    work_queue_arguments,
)

ADMIN = "admin"
#: How long events that nobody reads stay in the broker: for whoever watches them come, and no
#: longer, since they may hold words of a person who has asked to be forgotten.
UNSUBSCRIBED_SECONDS = 60


def password_hash(password: str, salt: bytes | None = None) -> str:
    """Return rabbit_password_hashing_sha256 of a password (rabbitmq.com/docs/passwords)."""
    salt = salt or os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def topology_definitions(topology: Topology) -> dict[str, Any]:
    """Return exchanges, queues and bindings, as an import into a single virtual host takes them."""
    exchanges, queues = [], [_queue(UNSUBSCRIBED, _unsubscribed_arguments())]
    bindings: list[tuple[str, str, str]] = []
    for service in topology.queues:
        exchanges += _exchanges(service)
        queues += _queues(service, list(topology.queues[service]))
        bindings += return_bindings(service, list(topology.queues[service]))
    bindings += topology.bindings()
    return {
        "exchanges": exchanges,
        "queues": queues,
        "bindings": [_binding(*binding) for binding in bindings],
        "policies": [_unsubscribed_policy()],
        "parameters": [],
    }


def full_definitions(
    topology: Topology, passwords: Mapping[str, str], vhost: str = "souk"
) -> dict[str, Any]:
    """Return the whole file: the topology in `vhost`, a user per service, and an administrator.

    Raises:
        KeyError: a user's password is missing from `passwords`.
    """
    contents = topology_definitions(topology)
    vhosts = [vhost, *map(jobs_vhost, sorted(topology.jobs))]
    services = list(topology.queues)
    return {
        "vhosts": [{"name": name} for name in vhosts],
        "users": [
            *(_user(name, passwords[name], "") for name in services),
            # For ops alone; no service has its password.
            _user(ADMIN, passwords[ADMIN], "administrator"),
        ],
        "permissions": [
            *({"vhost": vhost, **_permission(topology, name)} for name in services),
            *(_all_rights(jobs_vhost(name), name) for name in sorted(topology.jobs)),
            *(_all_rights(name, ADMIN) for name in vhosts),
        ],
        "topic_permissions": [
            {"vhost": vhost, **permission}
            for name in services
            for permission in _topic_permissions(topology, name)
        ],
        **{
            kind: [{"vhost": vhost, **item} for item in contents[kind]]
            for kind in ("exchanges", "queues", "bindings", "policies")
        },
    }


def _unsubscribed_arguments() -> dict[str, Any]:
    """Return the arguments of a short queue that loses its oldest messages: nobody reads them."""
    return {"x-queue-type": "classic", "x-max-length": 10_000, "x-overflow": "drop-head"}


def _unsubscribed_policy() -> dict[str, Any]:
    """Return what empties that queue: an event may hold words of a person who is deleted later.

    A policy, since the arguments of a queue that is there cannot be changed.
    """
    return {
        "name": "unsubscribed",
        "pattern": f"^{UNSUBSCRIBED}$",
        "apply-to": "queues",
        "definition": {"message-ttl": UNSUBSCRIBED_SECONDS * 1000},
        "priority": 0,
    }


def _exchange(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "durable": True,
        # With it, an exchange would go when its last queue is unbound.
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "durable": True, "auto_delete": False, "arguments": arguments}


def _binding(source: str, queue: str, key: str) -> dict[str, Any]:
    return {
        "source": source,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }


def _exchanges(service: str) -> list[dict[str, Any]]:
    return [
        _exchange(exchange_name(service), "topic"),
        _exchange(redrive_name(service), "direct"),
        _exchange(dead_name(service), "fanout"),
        *(_exchange(retry_name(service, delay), "fanout") for delay in RETRY_DELAYS),
    ]


def _queues(service: str, work: list[str]) -> list[dict[str, Any]]:
    return [
        *(_queue(name, work_queue_arguments(service)) for name in work),
        *(
            _queue(retry_name(service, delay), retry_queue_arguments(service, delay))
            for delay in RETRY_DELAYS
        ),
        _queue(dead_name(service), dead_queue_arguments()),
    ]


def _user(name: str, password: str, tags: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": tags,
    }


def _permission(topology: Topology, service: str) -> dict[str, str]:
    """Return the rights of a service.

    A binding needs the right to write the queue and to read the exchange.
    """
    queues = [re.escape(name) for name in topology.queues[service]]
    sources = [re.escape(name) for name in topology.subscriptions(service)]
    own = re.escape(f"{service}.")
    returns = [own + r"(redrive|dead|retry\.\d+s)"] if queues else [own + "dead"]
    writes = [own + r"(events|redrive|dead|retry\.\d+s)", *queues]
    return {
        "user": service,
        # Nothing: a service that declares could make a queue that takes everything.
        "configure": "^$",
        "write": "^(" + "|".join(writes) + ")$",
        "read": "^(" + "|".join([*queues, *returns, *sources]) + ")$",
    }


def _all_rights(vhost: str, user: str) -> dict[str, str]:
    return {"vhost": vhost, "user": user, "configure": ".*", "write": ".*", "read": ".*"}


def _topic_permissions(topology: Topology, service: str) -> list[dict[str, str]]:
    """Return under which routing keys a service may publish, and to which it may bind."""
    own = {
        "user": service,
        "exchange": exchange_name(service),
        # A forged event of another service is refused by the broker itself.
        "write": rf"^{re.escape(service)}\.[a-z_]+\.v\d+$",
        "read": "^$",
    }
    others = [
        {
            "user": service,
            "exchange": exchange,
            "write": "^$",
            "read": f"^({'|'.join(map(re.escape, types))})$",
        }
        for exchange, types in topology.subscriptions(service).items()
    ]
    return [own, *others]


def passwords_of_environment(topology: Topology) -> dict[str, str]:
    """Return each user's password from BROKER_PASSWORD_<USER>, or the file of …_<USER>_FILE."""
    users = (*topology.queues, ADMIN)
    return {user: env.secret(f"BROKER_PASSWORD_{user.upper()}") for user in users}


def apply(definitions: Mapping[str, Any], admin_url: str, *, wait_seconds: float) -> None:
    """Import the definitions into a running broker; wait for one that is still starting.

    An import adds to what is there and changes nothing that is as it should be, so it may be
    repeated at any time.

    Raises:
        requests.RequestException: the broker does not answer in time, or refuses them.
    """
    answer = _post_when_ready(definitions, admin_url, wait_seconds)
    if not answer.ok:
        raise requests.HTTPError(
            f"the broker refuses the definitions: {answer.status_code} {answer.text[:500]}"
        )


def _post_when_ready(
    definitions: Mapping[str, Any], admin_url: str, wait_seconds: float
) -> requests.Response:
    """Post until the broker answers; a starting broker refuses connections or answers 5xx."""
    url = f"{admin_url.rstrip('/')}/api/definitions"
    deadline = time.monotonic() + wait_seconds
    while True:
        with contextlib.suppress(requests.ConnectionError):
            # A read that times out is not suppressed: the import may still be at work.
            answer = requests.post(url, json=definitions, timeout=30)
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                return answer
        if time.monotonic() > deadline:
            raise requests.ConnectionError("the broker's management interface does not answer")
        time.sleep(0.5)


def main() -> int:
    """Print the definitions, or import them into a broker. Return the exit code."""
    options = _options()
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    topology = Topology.load(options.topology)
    if options.apply:
        return _apply_from_environment(topology, options.vhost, options.wait)
    passwords = json.loads(options.passwords.read_text(encoding="utf-8"))
    json.dump(full_definitions(topology, passwords, options.vhost), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--topology", type=Path, required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--passwords", type=Path, help='JSON: {"admin": …, "orders": …, …}')
    source.add_argument("--apply", action="store_true", help="to the broker at BROKER_ADMIN_URL")
    parser.add_argument("--vhost", default="souk")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait for the broker")
    return parser.parse_args()


def _apply_from_environment(topology: Topology, vhost: str, wait_seconds: float) -> int:
    definitions = full_definitions(topology, passwords_of_environment(topology), vhost)
    try:
        apply(definitions, env.secret("BROKER_ADMIN_URL"), wait_seconds=wait_seconds)
    except requests.RequestException as error:
        sys.stderr.write(f"{error}\n")
        return 1
    queues, users = len(definitions["queues"]), len(definitions["users"])
    sys.stdout.write(f"The broker has {queues} queues and {users} users.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
