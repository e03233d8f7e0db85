"""The ports of a stack: chosen once, kept in ports.json, replaced when another program has them."""

import json
import os
import secrets
import socket
from collections.abc import Mapping

from native.layout import Layout
from souk.checkout import SERVICES
from souk.console import CommandError
from souk.files import write_file

NAMES = (
    "gateway",
    "mail_page",
    *SERVICES,
    "live",
    "postgres",
    "amqp",
    "broker_api",
    "erlang",
    "epmd",
    "redis",
    "mail",
)
PREFERRED_GATEWAY = 8080
PREFERRED_MAIL_PAGE = 8025
#: What a person may ask for, by a variable, and gets unasked where it is free.
ASKED = {
    "gateway": ("GATEWAY_PORT", PREFERRED_GATEWAY),
    "mail_page": ("MAIL_PAGE_PORT", PREFERRED_MAIL_PAGE),
}
#: Below what the kernel hands to outgoing connections (`bind` to port 0 would choose from there):
#: while a server restarts, a connection of its clients might take the port and keep it.
RANGE = range(20_000, 32_000)

Ports = dict[str, int]


def is_free(port: int) -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 # nosec B104: nobody listens, it only asks
        except OSError:
            return False
    return True


def any_free(taken: set[int]) -> int:
    """Return a free port that is not in `taken`."""
    candidates = (secrets.choice(RANGE) for _ in range(1000))
    return next(port for port in candidates if port not in taken and is_free(port))


def recorded(layout: Layout) -> Ports:
    """Return the ports chosen before; none for a stack that never started."""
    path = layout.state / "ports.json"
    return json.loads(path.read_text()) if path.exists() else {}


def choose(layout: Layout, environment: Mapping[str, str] = os.environ) -> Ports:
    """Choose what is missing or taken, and record it. Only for a stack that is not running."""
    known = recorded(layout)
    ports = {name: known[name] for name in NAMES if name in known and is_free(known[name])}
    for name, (variable, preferred) in ASKED.items():
        asked = environment.get(variable, "")
        if asked:
            ports[name] = _asked_port(variable, asked)
        elif name not in ports and is_free(preferred):
            ports[name] = preferred
    for name in NAMES:
        ports[name] = ports.get(name) or any_free(set(ports.values()))
    write_file(layout.state / "ports.json", json.dumps(ports, indent=1) + "\n", mode=0o644)
    return ports


def _asked_port(variable: str, asked: str) -> int:
    """Return the port that a variable asks for; 0 for any free one."""
    if not asked.isdigit() or int(asked) > 65_535:
        raise CommandError(f"{variable} is {asked!r}: use a port number, or 0 for any free one")
    if int(asked) and not is_free(int(asked)):
        raise CommandError(f"port {asked} ({variable}) is taken: use another, or leave it unset")
    return int(asked)
