"""News of changed orders, over Redis."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.db import transaction
from uuid_utils.compat import uuid7

from orders import announcements
from orders.announcements import Change, announce_after_commit, pack, unpack
from orders.handlers import router
from orders.services.settlement import cancel_order
from servicekit.testing.deliver import deliver
from servicekit.testing.waiting import wait_until
from tests.factories import make_order, make_product, rejected, reserved

URL = os.environ["TEST_REDIS_URL"]


@pytest.fixture
def heard(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Change]]:
    """What is announced by this test, on a channel of its own."""
    channel = f"orders.changed.{uuid7()}"
    settings.REDIS_URL = URL
    monkeypatch.setattr(announcements, "CHANNEL", channel)
    found: list[Change] = []
    with redis.Redis.from_url(URL) as client, client.pubsub() as pubsub:
        pubsub.subscribe(
            **{channel: lambda message: found.extend(unpack(message["data"]))}  # type: ignore[arg-type]
        )
        listener = pubsub.run_in_thread(sleep_time=0.05)
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1)
        yield found
        listener.stop()
        listener.join()


@pytest.mark.django_db(transaction=True)
def test_every_state_of_an_order_is_announced(heard: list[Change]) -> None:
    user_id, product = uuid7(), make_product()
    confirmed, refused = (make_order({product.product_id: 2}, user_id=user_id) for _ in range(2))
    deliver(router, "orders.stock", [reserved(confirmed.pk)])
    deliver(router, "orders.stock", [rejected(refused.pk, product.product_id)])
    cancel_order(order_id=confirmed.pk)

    wait_until(lambda: len(heard) >= 5)

    assert sorted(heard) == sorted(
        [
            Change(confirmed.pk, user_id, 1, "pending"),
            Change(confirmed.pk, user_id, 2, "confirmed"),
            Change(confirmed.pk, user_id, 3, "cancelled"),
            Change(refused.pk, user_id, 1, "pending"),
            Change(refused.pk, user_id, 2, "rejected"),
        ]
    )


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_announced(heard: list[Change]) -> None:
    with transaction.atomic():
        make_order()
        transaction.set_rollback(True)
    kept = make_order()

    wait_until(lambda: heard)

    assert [change.order_id for change in heard] == [kept.pk]


@pytest.mark.django_db(transaction=True)
def test_redis_that_is_away_costs_no_order(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    order = make_order()

    assert order.version == 1


@pytest.mark.parametrize(
    "message", [b"", b"[1]", b"[[1,2,3,4]]", b'[["x","y",1,"z"]]', b"\xff", b"null"]
)
def test_what_is_no_news_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unpack(message)


def test_news_are_read_as_they_were_written() -> None:
    changes = [Change(uuid7(), uuid7(), 2, "confirmed"), Change(uuid7(), uuid7(), 1, "pending")]

    assert unpack(pack(changes)) == changes


@pytest.mark.django_db
def test_nothing_is_announced_without_redis(heard: list[Change], settings: Any) -> None:
    settings.REDIS_URL = ""

    announce_after_commit([Change(uuid7(), uuid7(), 1, "pending")])

    assert heard == []
