"""RabbitMQ: a node of the stack's own, with its own name, cookie and epmd, all on the loopback address."""

import base64
import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from native import files, packages
from native.environment import PYTHON
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, Layout
from native.ports import Ports
from native.secret_store import secret

# Every limit that a newer version changes is written down, so that 3.10 and 4.x do the same.
SETTINGS = """
listeners.tcp.default = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {broker_api}
heartbeat = 10
consumer_timeout = 1800000
max_message_size = 16777216
vm_memory_high_watermark.absolute = 768MiB
disk_free_limit.absolute = 256MiB
raft.wal_max_size_bytes = 33554432
log.file = false
log.console = true
log.console.level = warning
{accounts}
"""

# An Erlang string, as pieces in quotes or as a list of numbers.
PLACE = re.compile(rb'(\b(?:wal_)?data_dir =>)\s*(?:\[[\d,\s]*\]|"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*)')


def variables(layout: Layout, ports: Ports) -> dict[str, str]:
    """The node's environment. Debian's wrapper would switch to the package's user and data."""
    base = layout.plain(layout.rabbitmq)
    return {
        "HOME": str(base),
        "RABBITMQ_NODENAME": node(layout),
        "RABBITMQ_CONF_ENV_FILE": str(base / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(base / "data"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_DIST_PORT": str(ports["erlang"]),
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Without the wrapper shell, so that a signal reaches the node itself.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }


def node(layout: Layout) -> str:
    """The node's name: what it holds lies under it, so it stays when the checkout moves."""
    own = f"souk-{layout.digest}@localhost"
    known = [place for place in (layout.rabbitmq / "data").glob("souk-*@localhost") if place.is_dir()]
    names = {place.name for place in known}
    return own if own in names or not known else max(known, key=lambda place: place.stat().st_mtime).name


def place_queues(layout: Layout) -> None:
    """Gives each quorum queue the folder it lies in: it notes the path when it is made, and would write at the old one for ever."""
    for config in (layout.rabbitmq / "data").glob("*/*/*/*/config"):
        text = config.read_bytes()
        folder = config.parent.parent
        if f'"{folder}"'.encode() not in text:
            characters = ",".join(str(ord(character)) for character in str(folder))
            fresh = config.with_name("config.new")
            fresh.write_bytes(PLACE.sub(rb"\1 [%b]" % characters.encode(), text))
            fresh.replace(config)


def prepare(layout: Layout, ports: Ports, *, bare: bool) -> None:
    """Writes the node's files. `bare` (for tests): one admin, no queues; else everything servicekit.messaging.broker_definitions says."""
    base = layout.rabbitmq
    for folder in (base / "data", base / "log"):
        folder.mkdir(exist_ok=True, mode=0o700)
    place_queues(layout)
    files.write(base / "rabbitmq-env.conf", "")
    files.write(base / "enabled_plugins", "[rabbitmq_management].\n")
    # Erlang makes a cookie of its own when there is none, but of few bits.
    files.write(base / ".erlang.cookie", secret(layout, "erlang-cookie"), mode=0o400)
    if not bare:
        files.write(base / "definitions.json", definitions(layout))
    named = layout.plain(base) / "definitions.json"
    accounts = _admin(layout) if bare else f"load_definitions = {named}"
    files.write(base / "rabbitmq.conf", SETTINGS.format(**ports, accounts=accounts).lstrip())
    files.write_variables(layout.env / "rabbitmq.env", variables(layout, ports))


def _admin(layout: Layout) -> str:
    return f"default_user = admin\ndefault_pass = {secret(layout, 'rabbitmq-admin')}\ndefault_vhost = /"


def definitions(layout: Layout) -> str:
    """Exchanges, queues, users and permissions from deploy/topology.json, with this stack's passwords."""
    passwords = {name: secret(layout, f"rabbitmq-{name}") for name in (*SERVICES, "admin")}
    path = layout.secrets / "rabbitmq-passwords.json"
    files.write(path, json.dumps(passwords))
    topology = REPOSITORY / "deploy" / "topology.json"
    done = subprocess.run(
        [str(PYTHON), "-m", "servicekit.messaging.broker_definitions", "--topology", str(topology), "--passwords", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Cannot(f"servicekit.messaging.broker_definitions failed:\n{done.stderr[-4000:]}")
    return done.stdout


# RabbitMQ starts one itself when it finds none: then ours waits, and takes over once that has ended.
_EPMD = 'while "$0" -names >/dev/null 2>&1; do sleep 1; done; exec "$0" -address 127.0.0.1'


def epmd_command() -> list[str]:
    """Becomes Erlang's port mapper (ERL_EPMD_PORT) as soon as there is none."""
    return ["sh", "-c", _EPMD, epmd()]


def epmd() -> str:
    """The port mapper that belongs to the installed Erlang."""
    found = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return str(found[-1]) if found else packages.program("epmd")


def answers(layout: Layout, ports: Ports) -> bool:
    """Whether the node takes orders: its management interface says that the AMQP port, which opens last, is listened on."""
    credentials = base64.b64encode(f"admin:{secret(layout, 'rabbitmq-admin')}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{ports['broker_api']}/api/health/checks/port-listener/{ports['amqp']}",
        headers={"Authorization": f"Basic {credentials}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # nosec B310: our own http address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def wait(layout: Layout, ports: Ports, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not answers(layout, ports):
        if time.monotonic() > deadline:
            raise Cannot(f"RabbitMQ does not answer after {seconds:.0f} s: see {layout.log / 'rabbitmq.log'}")
        time.sleep(0.2)
