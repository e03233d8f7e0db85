"""The counters of every process can be read from inside the shop's networks; natively they share a
folder, here each has a port.
"""

import pytest
from containers import Containers
from harness import wait_until

from compose import engine

PROCESSES = (
    "users-relay",
    "users-consumer",
    "products-relay",
    "products-consumer",
    "orders-relay",
    "orders-consumer",
    "orders-live",
    "users-worker",
    "products-worker",
    "orders-worker",
)
#: What each process on the route of a purchase counts.
ROUTE = {
    "orders-relay": "souk_events_published_total",
    "products-consumer": "souk_events_handled_total",
    "products-relay": "souk_events_published_total",
    "orders-consumer": "souk_events_handled_total",
}
READ = """
exec 3<>/dev/tcp/{address}/9100
printf 'GET /metrics HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3
cat <&3
"""


def read_counters(containers: Containers, name: str) -> dict[str, float]:
    """Ask a process by the name that Prometheus would ask for, from its service's web container."""
    web = containers.named(f"{name.partition('-')[0]}-web")
    said = containers.ask(web["Id"], READ.format(address=name)).stdout
    found: dict[str, float] = {}
    for line in said.splitlines():
        if line.startswith("souk_"):
            counter, value = line.rsplit(" ", 1)
            base = counter.partition("{")[0]
            found[base] = found.get(base, 0.0) + float(value)
    return found


@pytest.mark.parametrize("name", PROCESSES)
def test_counters_of_a_process_are_read_by_its_name(containers, name):
    # Of those without labels, which are there from the start, in every process.
    assert "souk_events_published_total" in read_counters(containers, name)


def test_purchase_is_counted_by_each_process_on_its_route(containers, shop, staff):
    before = {
        name: read_counters(containers, name).get(counter, 0.0) for name, counter in ROUTE.items()
    }
    product = shop.add_product(staff, stock=5)

    shop.bought(shop.register(), (product["id"], 1))

    def have_counted() -> bool:
        return all(
            read_counters(containers, name).get(counter, 0.0) > before[name]
            for name, counter in ROUTE.items()
        )

    wait_until(have_counted, what="each has counted")


def test_the_port_is_published_to_nobody_outside(containers):
    published = [
        binding
        for each in containers.all()
        if engine.service_of(each) in PROCESSES
        for binding in each["NetworkSettings"]["Ports"].values()
        if binding
    ]

    assert published == []
