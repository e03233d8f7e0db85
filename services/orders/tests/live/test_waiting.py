"""A request that was handed over waits in `live`, and takes no thread meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
import requests
from uuid_utils.compat import uuid7

from orders.handlers import router
from servicekit.testing.deliver import deliver
from servicekit.testing.tokens import make_token
from servicekit.testing.waiting import wait_until
from tests.factories import make_order, reserved
from tests.live.client import PATIENCE_SECONDS, Live
from tests.live.conftest import StartLive


def ask(live: Live, order_id: UUID, user_id: UUID, **parameters: Any) -> requests.Response:
    return requests.get(
        f"http://{live.address}/internal/outcomes/{order_id}/",
        params={"operation": "place_order", "seconds": 10, "preferred": 10, **parameters},
        headers={"Authorization": f"Bearer {make_token(user_id)}"},
        timeout=PATIENCE_SECONDS,
    )


def waiters(live: Live) -> float:
    """Return how many requests wait there, as /metrics tells."""
    text = requests.get(f"http://{live.address}/metrics", timeout=PATIENCE_SECONDS).text
    [line] = [each for each in text.splitlines() if each.startswith("souk_live_waiters")]
    return float(line.rpartition(" ")[2])


def test_waiter_is_answered_with_the_outcome(live: Live, news: None) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, live, order.pk, user_id)
        wait_until(lambda: waiters(live) == 1, timeout_seconds=8)
        deliver(router, "orders.stock", [reserved(order.pk)])
        answer = asked.result()

    assert (answer.status_code, answer.json()["status"]) == (201, "confirmed")
    assert answer.headers["Location"] == f"/api/orders/{order.pk}/"
    assert answer.headers["Preference-Applied"] == "wait=10"


def test_outcome_without_news_is_found(live: Live) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)
    deliver(router, "orders.stock", [reserved(order.pk)])

    assert ask(live, order.pk, user_id).status_code == 201


@pytest.mark.parametrize("seconds", [0, 1])
def test_waiting_in_vain_is_202(live: Live, seconds: int) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)

    answer = ask(live, order.pk, user_id, seconds=seconds)

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


def test_many_wait_and_others_are_answered(live: Live, news: None) -> None:
    """There are four threads."""
    user_id = uuid7()
    orders = [make_order(user_id=user_id) for _ in range(12)]

    with ThreadPoolExecutor(len(orders)) as pool:
        asked = [pool.submit(ask, live, order.pk, user_id) for order in orders]
        wait_until(lambda: waiters(live) == len(orders), timeout_seconds=8)
        other = make_order(user_id=user_id)
        assert ask(live, other.pk, user_id, seconds=0).status_code == 202
        deliver(router, "orders.stock", [reserved(order.pk) for order in orders])
        answers = [each.result().status_code for each in asked]

    assert answers == [201] * len(orders)


def test_client_that_leaves_waits_no_longer(live: Live) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)

    with pytest.raises(requests.ReadTimeout):
        requests.get(
            f"http://{live.address}/internal/outcomes/{order.pk}/?operation=place_order&seconds=10",
            headers={"Authorization": f"Bearer {make_token(user_id)}"},
            timeout=0.5,
        )

    wait_until(lambda: waiters(live) == 0, timeout_seconds=8)


def test_process_that_ends_answers_who_waits(start_live: StartLive) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)

    with start_live() as live, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, live, order.pk, user_id)
        wait_until(lambda: waiters(live) == 1, timeout_seconds=8)
        live.process.terminate()
        assert asked.result().status_code == 202


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_written_there(live: Live, method: str) -> None:
    answer = requests.request(method, f"http://{live.address}/api/orders/", timeout=60, json={})

    assert answer.status_code == 405


def test_orders_of_others_do_not_exist(live: Live) -> None:
    order = make_order()

    assert ask(live, order.pk, uuid7(), seconds=0).status_code == 404
