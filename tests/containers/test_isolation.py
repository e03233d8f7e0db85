"""Who reaches whom, who is root, what is open: asked from inside each container."""

from itertools import product

import pytest
from containers import Containers

from compose import cis, engine

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
    "gateway": 8080,
}
#: Process → the servers that it uses. Servers use none; beat has nothing to do with the database.
USES = {
    **{f"{name}-{process}": {f"{name}-db", "rabbitmq", "redis"} for name in SERVICES for process in ("relay", "consumer")},
    "users-web": {"users-db", "rabbitmq", "redis"},
    "products-web": {"products-db", "rabbitmq", "redis", "users-web"},
    "orders-web": {"orders-db", "rabbitmq", "redis", "users-web", "products-web"},
    "orders-worker": {"orders-db", "rabbitmq", "redis"},
    "orders-beat": {"rabbitmq", "redis"},
    "gateway": {"users-web", "products-web", "orders-web"},
}
#: All at once: where a network is closed, each try takes its whole time.
CONNECT = "(timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo {server}) &"


def addresses(containers: Containers, name: str) -> list[str]:
    networks = containers.one(name)["NetworkSettings"]["Networks"].values()
    return [network["IPAddress"] for network in networks]


@pytest.fixture(scope="module")
def reached(containers: Containers) -> set[tuple[str, str]]:
    """Every (container, server) where the first can connect to the second: by number, so that no missing name hides an open way."""
    lines = [
        CONNECT.format(address=address, port=port, server=server)
        for server, port in SERVERS.items()
        for address in addresses(containers, server)
    ]
    script = "\n".join([*lines, "wait"])
    return {
        (name, server)
        for name in containers.names()
        for server in containers.ask(name, script).stdout.split()
        if server != name
    }


def shares_a_network(containers: Containers, name: str, server: str) -> bool:
    mine, its = (set(containers.one(one)["NetworkSettings"]["Networks"]) for one in (name, server))
    return bool(mine & its)


def test_each_process_reaches_what_it_uses(containers, reached):
    wanted = {(name, server) for name in containers.names() for server in USES.get(name, ())}

    assert wanted
    assert wanted - reached == set()


def test_nobody_reaches_a_database_or_a_service_that_it_does_not_use(containers, reached):
    # A network joins two or more: what answers on it is open to the others on it. Those pairs are looked at below.
    pairs = {(name, server) for name, server in product(containers.names(), SERVERS) if name != server}
    foreign = {pair for pair in pairs if not shares_a_network(containers, *pair)}

    assert ("users-web", "products-db") in foreign
    assert ("gateway", "rabbitmq") in foreign
    assert foreign & reached == set()


def test_networks_join_only_those_who_talk(containers):
    """The pairs on a common network: one uses the other, or both are used by (or processes of) the same service."""
    allowed = set()
    for name, server in product(containers.names(), SERVERS):
        talks = server in USES.get(name, ()) or name in USES.get(server, ())
        same_service = name.partition("-")[0] == server.partition("-")[0] and "db" not in (name, server)
        both_shared = {name, server} == {"rabbitmq", "redis"}
        if talks or same_service or both_shared:
            allowed.add((name, server))
    joined = {
        (name, server)
        for name, server in product(containers.names(), SERVERS)
        if name != server and shares_a_network(containers, name, server)
    }

    assert joined - allowed == set()


@pytest.mark.parametrize("service", SERVICES)
def test_database_is_reached_by_its_service_only(reached, service):
    by = {name for name, server in reached if server == f"{service}-db"}

    assert by
    assert {name for name in by if not name.startswith(f"{service}-")} == set()


def test_nothing_but_the_gateway_is_published(containers):
    published = {
        engine.service_of(one): [each["HostIp"] for each in binding]
        for one in containers.all()
        for binding in one["NetworkSettings"]["Ports"].values()
        if binding
    }

    assert published == {"gateway": ["127.0.0.1"]}


def test_nobody_but_the_gateway_has_a_way_out(containers):
    """The second column of a default route is 00000000."""
    script = "while read -r _ to _; do [ $to = 00000000 ] && echo out; done < /proc/net/route; true"
    out = {name for name in containers.names() if "out" in containers.ask(name, script).stdout}

    assert out <= {"gateway"}


def test_nobody_is_root_or_can_write_its_root(containers):
    for name in containers.names():
        user = containers.ask(name, "id -u").stdout.strip()
        assert user not in ("", "0"), name
        written = containers.ask(name, "for d in / /usr /etc /bin /var /opt /souk /gateway; do touch $d/mark 2>/dev/null && echo $d; done; true")
        assert written.stdout == "", name
        capabilities = containers.ask(name, "grep -E '^Cap(Prm|Eff|Bnd)' /proc/1/status").stdout.split()[1::2]
        assert set(capabilities) == {"0" * 16}, name


def test_benchmark_has_no_finding_without_a_reason(containers):
    found = [finding for one in cis.look() for finding in cis.findings(one) if not finding.reason]

    assert found == []


def test_no_secret_is_in_an_image_or_a_log(containers):
    from compose import dotenv, first_values

    values = [value for name, value in dotenv.read().items() if name in first_values.SECRETS]
    assert len(values) == len(first_values.SECRETS)
    logs = containers.compose("logs", "--no-color")
    config = str([{**one, "Config": {}} for one in cis.look()])
    images = "".join(str(one["Image_"]) for one in cis.look())

    assert [value[:4] for value in values if value in logs or value in images] == []
    assert config
