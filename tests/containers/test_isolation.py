"""Who reaches whom, who is root, what is open: asked from inside each container."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import cis
import pytest
from containers import Containers

from compose import engine, first_values
from souk import dotenv
from souk.files import read_variables

Seen = dict[str, dict[str, Any]]
SERVICES = ("users", "products", "orders")
#: What listens, and on which port.
SERVERS = {
    "users-db": 5432,
    "products-db": 5432,
    "orders-db": 5432,
    "rabbitmq": 5672,
    "redis": 6379,
    "users-web": 8000,
    "products-web": 8000,
    "orders-web": 8000,
    "orders-live": 8000,
    "gateway": 8080,
    "mailsink": 1025,
}
#: Process → the servers that it uses. Servers use none; beat has nothing to do with the database.
USES = {
    **{
        f"{name}-{process}": {f"{name}-db", "rabbitmq", "redis"}
        for name in SERVICES
        for process in ("relay", "consumer", "worker")
    },
    **{f"{name}-beat": {"rabbitmq", "redis"} for name in SERVICES},
    "users-worker": {"users-db", "rabbitmq", "redis", "mailsink"},
    "products-worker": {"products-db", "rabbitmq", "redis", "mailsink"},
    "users-web": {"users-db", "rabbitmq", "redis"},
    "products-web": {"products-db", "rabbitmq", "redis", "users-web"},
    "orders-web": {"orders-db", "rabbitmq", "redis", "users-web", "products-web"},
    "orders-live": {"orders-db", "rabbitmq", "redis", "users-web"},
    "gateway": {"users-web", "products-web", "orders-web", "orders-live"},
}
#: Some at once, for where a network is closed each try takes its whole time; not all, for a
#: container may have few processes.
AT_ONCE = 8
CONNECT = "(timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo {server}) &"


def addresses(seen: Seen, name: str) -> list[str]:
    networks = seen[name]["NetworkSettings"]["Networks"].values()
    return [network["IPAddress"] for network in networks]


@pytest.fixture(scope="module")
def seen(containers: Containers) -> Seen:
    """Name → `docker inspect` of what runs."""
    return {engine.service_of(item): item for item in containers.all() if item["State"]["Running"]}


@pytest.fixture(scope="module")
def reached(containers: Containers, seen: Seen) -> set[tuple[str, str]]:
    """Every (container, server) where the first can connect to the second: by number, so that no
    missing name hides an open way.
    """
    lines = [
        CONNECT.format(address=address, port=port, server=server)
        for server, port in SERVERS.items()
        for address in addresses(seen, server)
    ]
    for position in range(len(lines) - len(lines) % AT_ONCE, 0, -AT_ONCE):
        lines.insert(position, "wait")
    script = "\n".join([*lines, "wait"])
    with ThreadPoolExecutor(4) as pool:
        said = dict(
            pool.map(
                lambda name: (name, containers.ask(seen[name]["Id"], script).stdout.split()), seen
            )
        )
    return {
        (name, server) for name, servers in said.items() for server in servers if server != name
    }


def shares_a_network(seen: Seen, name: str, server: str) -> bool:
    mine, its = (set(seen[item]["NetworkSettings"]["Networks"]) for item in (name, server))
    return bool(mine & its)


def test_each_process_reaches_what_it_uses(seen, reached):
    wanted = {(name, server) for name in seen for server in USES.get(name, ())}

    assert wanted
    assert wanted - reached == set()


def test_nobody_reaches_a_database_or_a_service_that_it_does_not_use(seen, reached):
    # A network joins two or more: what answers on it is open to the others on it. Those pairs are
    # looked at below.
    pairs = {(name, server) for name, server in product(seen, SERVERS) if name != server}
    foreign = {pair for pair in pairs if not shares_a_network(seen, *pair)}

    assert ("users-web", "products-db") in foreign
    assert ("gateway", "rabbitmq") in foreign
    assert foreign & reached == set()


def test_networks_join_only_those_who_talk(seen):
    """The pairs on a common network: one uses the other, or both are used by (or processes of) the
    same service.
    """
    allowed = set()
    for name, server in product(seen, SERVERS):
        talks = server in USES.get(name, ()) or name in USES.get(server, ())
        same_service = name.partition("-")[0] == server.partition("-")[0] and "db" not in (
            name,
            server,
        )
        both_shared = {name, server} == {"rabbitmq", "redis"}
        if talks or same_service or both_shared:
            allowed.add((name, server))
    joined = {
        (name, server)
        for name, server in product(seen, SERVERS)
        if name != server and shares_a_network(seen, name, server)
    }

    assert joined - allowed == set()


@pytest.mark.parametrize("service", SERVICES)
def test_database_is_reached_by_its_service_only(reached, service):
    by = {name for name, server in reached if server == f"{service}-db"}

    assert by
    assert {name for name in by if not name.startswith(f"{service}-")} == set()


def test_nothing_but_gateway_and_mail_page_is_published(containers):
    """The page holds tokens: only this machine reaches it (docs/adr/0098-mails-have-a-sink.md)."""
    published = {
        engine.service_of(item): [each["HostIp"] for each in binding]
        for item in containers.all()
        for binding in item["NetworkSettings"]["Ports"].values()
        if binding
    }

    assert published == {"gateway": ["127.0.0.1"], "mailsink": ["127.0.0.1"]}


def test_every_network_but_those_of_published_ports_is_internal(containers):
    """Docker gives also those a default route; nothing is forwarded from them."""
    networks = {
        network for item in containers.all() for network in item["NetworkSettings"]["Networks"]
    }
    said = subprocess.run(
        ["docker", "network", "inspect", *networks], check=True, capture_output=True, text=True
    ).stdout
    open_ones = {
        network["Name"].rpartition("_")[2]: network["Options"]
        for network in json.loads(said)
        if not network["Internal"]
    }

    unmasked = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert open_ones == {"public": unmasked, "mailsink-page": unmasked}
    on_open_ones = {
        (engine.service_of(item), name)
        for item in containers.all()
        for network in item["NetworkSettings"]["Networks"]
        if (name := network.rpartition("_")[2]) in open_ones
    }
    assert on_open_ones == {("gateway", "public"), ("mailsink", "mailsink-page")}


def test_nobody_is_root_or_can_write_its_root(containers, seen):
    for name, container in seen.items():
        user = containers.ask(container["Id"], "id -u").stdout.strip()
        assert user not in ("", "0"), name
        written = containers.ask(
            container["Id"],
            "for d in / /usr /etc /bin /var /opt /souk /gateway; do touch $d/mark 2>/dev/null &&"
            " echo $d; done; true",
        )
        assert written.stdout == "", name
        capabilities = containers.ask(
            container["Id"], "grep -E '^Cap(Prm|Eff|Bnd)' /proc/1/status"
        ).stdout.split()[1::2]
        assert set(capabilities) == {"0" * 16}, name


def test_no_secret_is_in_an_image_or_a_log(containers):
    values = [
        value for name, value in read_variables(dotenv.PATH).items() if name in first_values.SECRETS
    ]
    assert len(values) == len(first_values.SECRETS)
    logs = containers.compose("logs", "--no-color")
    config = str([{**item, "Config": {}} for item in cis.look()])
    images = "".join(str(item["Image_"]) for item in cis.look())

    assert [value[:4] for value in values if value in logs or value in images] == []
    assert config
