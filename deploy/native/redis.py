"""Redis: a cache of the stack's own, with a password, on the loopback address; nothing in it must outlive a restart."""

import socket

from native import files
from native.layout import Layout
from native.ports import Ports
from native.secret_store import secret

SETTINGS = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
"""


def prepare(layout: Layout, ports: Ports) -> None:
    """Writes its configuration, readable by us only."""
    directory = layout.plain(layout.redis)
    text = SETTINGS.format(port=ports["redis"], password=secret(layout, "redis"), directory=directory)
    files.write(layout.redis / "redis.conf", text.lstrip())


def answers(layout: Layout, ports: Ports) -> bool:
    """Whether it takes the password and answers PING."""
    try:
        with socket.create_connection(("127.0.0.1", ports["redis"]), timeout=3) as link:
            link.sendall(f"AUTH {secret(layout, 'redis')}\r\nPING\r\n".encode())
            with link.makefile("rb") as lines:
                return lines.readline() == b"+OK\r\n" and lines.readline() == b"+PONG\r\n"
    except OSError:
        return False
