"""Redis: a cache of the stack's own, with a password, on the loopback address."""

from native import packages
from native.layout import Layout, fill_template
from native.ports import Ports
from souk import commands
from souk.files import write_file


def prepare(layout: Layout, ports: Ports) -> None:
    """Write its configuration, readable by the owner only."""
    values = {"password": layout.secret("redis"), "directory": layout.plain(layout.redis)}
    text = fill_template("redis.conf", port=ports["redis"], **values)
    write_file(layout.redis / "redis.conf", text)


def answers(layout: Layout, ports: Ports) -> bool:
    """Return whether it takes the password and answers PING."""
    client = [packages.program("redis-cli"), "-p", str(ports["redis"]), "ping"]
    done = commands.run(client, variables={"REDISCLI_AUTH": layout.secret("redis")})
    return done.stdout == "PONG\n"
