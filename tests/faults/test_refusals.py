"""A queue that is full, and products away for longer than orders live: nothing is lost, and the
living do not pay for the dead.
"""

import os

import pytest
import requests
from harness import SETTLED, wait_until
from stack import pause

#: Ten refusals in a row once parked an event for good; SOUK_FULL_SECONDS=900 lets it last as long
#: as a real outage.
FULL_SECONDS = float(os.environ.get("SOUK_FULL_SECONDS", "30"))
ORDERS = 30


@pytest.fixture
def full_queue(ops):
    """Let the queue of orders hold a single message while the test runs."""
    url = f"{ops['OPS_BROKER_API_URL']}/api/policies/souk/full-for-a-test"
    policy = {
        "pattern": r"^products\.orders$",
        "definition": {"max-length": 1},
        "apply-to": "queues",
    }

    def lift():
        requests.delete(url, timeout=10)

    requests.put(url, json=policy, timeout=10).raise_for_status()
    yield lift
    lift()


def test_queue_that_stays_full_delays_its_events_and_loses_none(
    shop, stack, staff, customer, full_queue
):
    product = shop.add_product(staff, stock=100_000)["id"]
    other = shop.add_product(staff, stock=1)
    with stack.stopped("products-consumer"):
        placed = [shop.place(customer, (product, 1)).json()["id"] for _ in range(ORDERS)]
        for order in placed[::2]:
            assert shop.call("POST", f"/api/orders/{order}/cancel/", customer).status_code == 200
        waiting = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"
        wait_until(
            lambda: stack.number("orders", waiting) > ORDERS / 2, what="the broker refuses them"
        )
        pause(FULL_SECONDS)
        staff, customer = (
            shop.staff(),
            shop.log_in(customer.email, customer.password),
        )  # tokens live five minutes
        # Events of other types leave meanwhile.
        answer = shop.call(
            "PATCH", f"/api/products/{other['id']}/", staff, json={"name": "Renamed"}
        )
        assert answer.status_code == 200
        wait_until(
            lambda: stack.number("products", waiting) == 0, what="the catalogue's events leave"
        )
        assert (
            stack.number("orders", "SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL") == 0
        )
        full_queue()

    wait_until(
        lambda: stack.number("orders", waiting) == 0, seconds=120, what="every event is published"
    )
    for number, order in enumerate(placed):
        allowed = (
            SETTLED if FULL_SECONDS > 600 else ("cancelled",) if number % 2 == 0 else ("confirmed",)
        )
        assert shop.settled(customer, order)["status"] in allowed
    stack.audit()


def test_live_orders_are_not_refused_for_the_sake_of_expired_ones(shop, stack, staff, customer):
    """Products comes back after more than the deadline: the dead orders stand first in its queue,
    their expiry behind.
    """
    product = shop.add_product(staff, stock=3)["id"]
    with stack.stopped("products-consumer"):
        with stack.stopped("orders-relay"):
            dead = [shop.place(customer, (product, 1)).json()["id"] for _ in range(3)]
            with stack.database("orders") as database:
                # An hour passes for them, in their rows as in their events.
                database.execute(
                    "UPDATE orders SET deadline = deadline - interval '1 hour' WHERE id ="
                    " ANY(%s::uuid[])",
                    [dead],
                )
                database.execute(
                    """UPDATE outbox SET data = convert_to(jsonb_set(convert_from(data,
                        'UTF8')::jsonb, '{deadline}',
                        to_jsonb(to_char(now() - interval '45 minutes',
                            'YYYY-MM-DD"T"HH24:MI:SS"Z"')))::text, 'UTF8')
                    WHERE subject = ANY(%s) AND type = 'orders.order_placed.v1'""",
                    [dead],
                )
        live = [shop.place(customer, (product, 1)).json()["id"] for _ in range(3)]
        for order in dead:
            wait_until(
                lambda order=order: shop.order(customer, order)["status"] == "expired", seconds=60
            )

    assert [shop.settled(customer, order)["status"] for order in live] == ["confirmed"] * 3
    assert shop.stock_of(product) == 0
    stack.audit()
