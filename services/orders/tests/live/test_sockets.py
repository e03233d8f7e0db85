"""What a socket is told of its orders."""

import os
from urllib.parse import urlsplit

import pytest
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import Status
from orders.services.settlement import cancel_order
from servicekit.testing.deliver import deliver
from servicekit.testing.faults import StallingProxy
from tests.factories import make_order, reserved
from tests.live.client import Live
from tests.live.conftest import StartLive

REDIS = urlsplit(os.environ["TEST_REDIS_URL"])


def test_state_comes_first_and_then_each_change(live: Live, news: None) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)

    with live.open(user_id) as socket:
        [state] = socket.subscribe()["orders"]
        deliver(router, "orders.stock", [reserved(order.pk)])
        change = socket.next("order")["order"]

    assert (state["id"], state["status"], state["version"]) == (str(order.pk), "pending", 1)
    assert change == {
        **state,
        "status": "confirmed",
        "version": 2,
        "settled_at": change["settled_at"],
    }
    assert change["settled_at"] is not None


def test_order_placed_elsewhere_is_told(live: Live, news: None) -> None:
    user_id = uuid7()

    with live.open(user_id) as socket:
        assert socket.subscribe()["orders"] == []
        order = make_order(user_id=user_id)
        assert socket.next_state() == (str(order.pk), "pending", 1)


def test_named_orders_alone_are_followed(live: Live, news: None) -> None:
    user_id = uuid7()
    followed, other = make_order(user_id=user_id), make_order(user_id=user_id)

    with live.open(user_id) as socket:
        told = socket.subscribe([str(followed.pk)])
        for order in (other, followed):
            cancel_order(order_id=order.pk)
        assert [each["id"] for each in told["orders"]] == [str(followed.pk)]
        assert socket.next_state() == (str(followed.pk), "cancelled", 2)


def test_orders_of_others_do_not_exist(live: Live, news: None) -> None:
    user_id = uuid7()
    foreign, missing, own = make_order(), uuid7(), make_order(user_id=user_id)

    with live.open(user_id) as socket:
        told = socket.subscribe([str(foreign.pk), str(missing), str(own.pk)])
        for order in (foreign, own):
            cancel_order(order_id=order.pk)
        assert told["not_found"] == sorted([str(foreign.pk), str(missing)])
        assert [each["id"] for each in told["orders"]] == [str(own.pk)]
        assert socket.next_state()[0] == str(own.pk)


def test_subscription_to_all_tells_the_newest_twenty(live: Live) -> None:
    user_id = uuid7()
    placed = [str(make_order(user_id=user_id).pk) for _ in range(22)]

    with live.open(user_id) as socket:
        told = socket.subscribe()["orders"]

    assert sorted(each["id"] for each in told) == sorted(placed[2:])


def test_change_without_news_is_found(live: Live) -> None:
    """A process may end between its commit and its news."""
    user_id = uuid7()
    order = make_order(user_id=user_id)

    with live.open(user_id) as of_all, live.open(user_id) as of_one:
        of_all.subscribe()
        of_one.subscribe([str(order.pk)])
        cancel_order(order_id=order.pk)
        for socket in (of_all, of_one):
            assert socket.next_state() == (str(order.pk), "cancelled", 2)


def test_later_subscription_takes_the_place_of_the_one_before(live: Live, news: None) -> None:
    user_id = uuid7()
    first, second = make_order(user_id=user_id), make_order(user_id=user_id)

    with live.open(user_id) as socket:
        socket.subscribe([str(first.pk)])
        socket.subscribe([str(second.pk)])
        for order in (first, second):
            cancel_order(order_id=order.pk)
        assert socket.next_state()[0] == str(second.pk)


def test_without_redis_sockets_poll_and_say_so(start_live: StartLive, news: None) -> None:
    user_id = uuid7()
    order = make_order(user_id=user_id)
    with (
        StallingProxy((REDIS.hostname or "", REDIS.port or 6379)) as proxy,
        start_live(REDIS_URL=through(proxy)) as live,
        live.open(user_id) as socket,
    ):
        while socket.next("updates")["updates"] != "pushed":
            pass
        socket.subscribe()
        proxy.stall()
        assert socket.next("updates")["updates"] == "polled"
        deliver(router, "orders.stock", [reserved(order.pk)])
        assert socket.next_state() == (str(order.pk), Status.CONFIRMED, 2)
        proxy.flow()
        assert socket.next("updates")["updates"] == "pushed"


def through(proxy: StallingProxy) -> str:
    login = REDIS.netloc.rpartition("@")[0]
    netloc = f"{login}@127.0.0.1:{proxy.port}" if login else f"127.0.0.1:{proxy.port}"
    return REDIS._replace(netloc=netloc).geturl()


def test_process_that_ends_says_so(start_live: StartLive) -> None:
    with start_live() as live, live.open(uuid7()) as socket:
        socket.subscribe()
        live.process.terminate()
        assert socket.close_code() == 1012
        assert live.process.wait(timeout=60) == 0


@pytest.mark.parametrize("path", ["/ws/", "/ws/orders", "/ws/orders/1/", "/api/orders/"])
def test_socket_at_another_address_is_refused(live: Live, path: str) -> None:
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused, live.open(path=path):
        pass

    assert refused.value.response.status_code == 403
