"""What waits for a socket: never an older version, and never much."""

import json
from typing import Any

from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from orders.live.subscriber import ALL, MOST_WAITING, Subscriber
from orders.selectors import OrderState
from servicekit.auth.tokens import Claims

USER = uuid7()
ORDERS = [uuid7() for _ in range(3)]
CLAIMS = Claims(USER, frozenset({"customer"}), uuid7(), "t", 1, 2, email_verified=True)


def state(order: int, version: int, **changed: Any) -> OrderState:
    values = (ORDERS[order], USER, "pending", version, "1.00", "GBP", timezone.now(), None)
    return OrderState(*values)._replace(**changed)


def taken(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(text) for text in subscriber.take()]


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(0, 2), st.integers(1, 6)),
        st.tuples(st.just("subscribe"), st.integers(0, 2), st.integers(1, 6)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(moves=MOVES)
def test_versions_never_go_back(moves: list[tuple[str, int, int]]) -> None:
    """Reads come in order (orders.live.hub), so a subscription never has an older state; offers
    may repeat anything.
    """
    subscriber = Subscriber(CLAIMS)
    subscriber.tell_subscribed(ALL, [])
    newest, seen = [0, 0, 0], [0, 0, 0]
    for kind, order, version in [*moves, ("take", 0, 0)]:
        if kind == "offer":
            newest[order] = max(newest[order], version)
            subscriber.offer(state(order, version))
        elif kind == "subscribe":
            newest[order] = max(newest[order], version)
            subscriber.tell_subscribed(ALL, [state(order, newest[order])])
        else:
            for message in taken(subscriber):
                for told in [*message.get("orders", []), message.get("order")]:
                    if told:
                        index = [str(each) for each in ORDERS].index(told["id"])
                        assert told["version"] >= seen[index]
                        seen[index] = told["version"]
    assert seen == newest


def test_only_the_last_of_several_changes_waits() -> None:
    subscriber = Subscriber(CLAIMS)
    subscriber.tell_subscribed(ALL, [])
    taken(subscriber)

    for version in (1, 2, 3):
        subscriber.offer(state(0, version))

    assert [message["order"]["version"] for message in taken(subscriber)] == [3]


def test_order_of_somebody_else_is_never_told() -> None:
    subscriber = Subscriber(CLAIMS)

    subscriber.tell_subscribed(ALL, [state(0, 1, user_id=uuid7())])
    subscriber.offer(state(1, 1, user_id=uuid7()))

    assert taken(subscriber) == [{"type": "subscribed", "orders": [], "not_found": []}]


def test_socket_with_too_much_to_be_told_ends() -> None:
    subscriber = Subscriber(CLAIMS)
    subscriber.tell_subscribed(ALL, [])

    for _ in range(MOST_WAITING + 1):
        subscriber.offer(state(0, 1, id=uuid7()))

    assert subscriber.end == (1008, "messages are not read")
