"""The ports of one stack: chosen once, kept in ports.json, replaced only when somebody else has taken one."""

import json
import os
import secrets
import socket
from collections.abc import Mapping

from native import files
from native.errors import Cannot
from native.layout import Layout

NAMES = (
    "gateway",
    "users",
    "products",
    "orders",
    "postgres",
    "amqp",
    "broker_api",
    "erlang",
    "epmd",
    "redis",
)
PREFERRED_GATEWAY = 8080
# Below the range from which the kernel hands ports to outgoing connections.
RANGE = range(20_000, 32_000)

Ports = dict[str, int]


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 # nosec B104: nobody listens, it only asks
        except OSError:
            return False
    return True


def any_free(taken: set[int]) -> int:
    """A free port that is not in `taken`."""
    for _ in range(1000):
        port = secrets.choice(RANGE)
        if port not in taken and is_free(port):
            return port
    raise Cannot(f"found no free port from {RANGE.start} to {RANGE.stop}")


def recorded(layout: Layout) -> Ports:
    """The ports chosen before; none for a stack that never started."""
    path = layout.state / "ports.json"
    return json.loads(path.read_text()) if path.exists() else {}


def choose(layout: Layout, environment: Mapping[str, str] = os.environ) -> Ports:
    """Chooses what is missing or taken, and records it. Only for a stack that is not running."""
    ports = {name: port for name, port in recorded(layout).items() if name in NAMES and is_free(port)}
    asked = environment.get("GATEWAY_PORT", "")
    if asked:
        ports["gateway"] = _asked_gateway(asked)
    elif "gateway" not in ports and is_free(PREFERRED_GATEWAY):
        ports["gateway"] = PREFERRED_GATEWAY
    for name in NAMES:
        if not ports.get(name):
            ports[name] = any_free(set(ports.values()))
    files.write(layout.state / "ports.json", json.dumps(ports, indent=1) + "\n", mode=0o644)
    return ports


def _asked_gateway(asked: str) -> int:
    """The port GATEWAY_PORT asks for; 0 for any free one."""
    if not asked.isdigit() or int(asked) > 65_535:
        raise Cannot(f"GATEWAY_PORT is {asked!r}: use a port number, or 0 for any free one")
    if int(asked) and not is_free(int(asked)):
        raise Cannot(f"port {asked} (GATEWAY_PORT) is taken: choose another, or leave it unset")
    return int(asked)
