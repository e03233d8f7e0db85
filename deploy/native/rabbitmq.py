"""RabbitMQ: a node of the stack's own, with its own name, cookie and epmd, all on loopback.

`deploy/image/run broker` gives it the shop's exchanges, queues, users and permissions.
"""

import base64
import re
import urllib.request

from native.layout import Layout, fill_template
from native.ports import Ports
from souk.checkout import REPOSITORY
from souk.files import write_file, write_variables

# An Erlang string, as pieces in quotes or as a list of numbers.
_STRING = rb'\[[\d,\s]*\]|"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*'
PLACE = re.compile(rb"(\b(?:wal_)?data_dir =>)\s*(?:%b)" % _STRING)


def variables(layout: Layout, ports: Ports) -> dict[str, str]:
    """Return the node's environment: Debian's wrapper would take the package's user and data."""
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
        # Of the port mapper that it starts, which stays when it ends: see NativeRuntime.down.
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Without the wrapper shell, so that a signal reaches the node itself.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }


def node(layout: Layout) -> str:
    """Return the node's name: its data lie under it, so it stays when the checkout moves."""
    own = f"souk-{layout.digest}@localhost"
    known = [path for path in (layout.rabbitmq / "data").glob("souk-*@localhost") if path.is_dir()]
    if not known or own in {path.name for path in known}:
        return own
    return max(known, key=lambda path: path.stat().st_mtime).name


def place_queues(layout: Layout) -> None:
    """Write down for each quorum queue the folder that it lies in.

    It notes the path when it is made, and would write at the old path for ever.
    """
    for config in (layout.rabbitmq / "data").glob("*/*/*/*/config"):
        text, folder = config.read_bytes(), config.parent.parent
        if f'"{folder}"'.encode() not in text:
            characters = ",".join(str(ord(character)) for character in str(folder))
            fresh = config.with_name("config.new")
            fresh.write_bytes(PLACE.sub(rb"\1 [%b]" % characters.encode(), text))
            fresh.replace(config)


def prepare(layout: Layout, ports: Ports) -> None:
    """Write the files of a node with one admin, and nothing in it yet."""
    base = layout.rabbitmq
    for folder in (base / "data", base / "log"):
        folder.mkdir(exist_ok=True, mode=0o700)
    place_queues(layout)
    write_file(base / "rabbitmq-env.conf", "")
    write_file(base / "enabled_plugins", "[rabbitmq_management].\n")
    # Erlang makes a cookie of its own when there is none, but of few bits.
    write_file(base / ".erlang.cookie", layout.secret("erlang-cookie"), mode=0o400)
    shared = (REPOSITORY / "deploy" / "rabbitmq.conf").read_text()
    own = fill_template("rabbitmq.conf", **ports, password=layout.secret("rabbitmq-admin"))
    write_file(base / "rabbitmq.conf", shared + own)
    write_variables(layout.env / "rabbitmq.env", variables(layout, ports))


def answers(layout: Layout, ports: Ports) -> bool:
    """Return whether the node says that the AMQP port, which opens last, is listened on."""
    login = base64.b64encode(f"admin:{layout.secret('rabbitmq-admin')}".encode()).decode()
    address = f"http://127.0.0.1:{ports['broker_api']}/api/health/checks/port-listener"
    headers = {"Authorization": f"Basic {login}"}
    request = urllib.request.Request(f"{address}/{ports['amqp']}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # nosec B310: http, ours
            return bool(answer.status == 200)
    except OSError:
        return False
