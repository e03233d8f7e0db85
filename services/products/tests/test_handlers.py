"""Events in, beside those of test_stock.py."""

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from products.events import OrderExpired, UserSessionsRevoked
from products.handlers import router
from products.models import Reservation
from servicekit.models import DeadLetter, RevokedSession
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from tests.factories import cancelled, make_product, placed

QUEUE = "products.orders"


@pytest.mark.django_db(transaction=True)
def test_expired_order_gives_its_units_back_once() -> None:
    product, order_id = make_product(stock=5), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 3}, order_id)])

    message = make_delivery(OrderExpired.type, {"order_id": str(order_id)})
    deliver(router, QUEUE, [message, cancelled(order_id)], times=2)

    product.refresh_from_db()
    assert product.stock == 5
    assert Reservation.objects.get().status == "released"
    assert len(outbox_events("products.stock_released.v1")) == 1


@pytest.mark.django_db(transaction=True)
def test_order_that_expired_before_it_came_takes_nothing() -> None:
    product, order_id = make_product(stock=5), uuid7()

    deliver(router, QUEUE, [make_delivery(OrderExpired.type, {"order_id": str(order_id)})], times=2)
    deliver(router, QUEUE, [placed({product.pk: 3}, order_id)], times=2)

    product.refresh_from_db()
    assert product.stock == 5
    assert Reservation.objects.get().status == "void"
    assert outbox_events("products.stock_reserved.v1") == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("quantity", [0, -1, 2_000_000_000, "many", True, "1", 1.0])
def test_impossible_quantity_is_a_dead_letter_and_its_neighbours_are_served(
    quantity: object,
) -> None:
    product = make_product(stock=5)
    bad = placed([(product.pk, quantity)])  # type: ignore[list-item]

    deliver(router, QUEUE, [placed({product.pk: 1}), bad, placed({product.pk: 1})], times=1)

    product.refresh_from_db()
    assert product.stock == 3
    assert DeadLetter.objects.get().reason == "invalid_data"


@pytest.mark.django_db(transaction=True)
def test_order_whose_event_has_no_id_takes_nothing() -> None:
    """Without an id each delivery would be the first: nothing tells a repeat from another order."""
    product = make_product(stock=5)
    message = placed({product.pk: 1})
    del message.headers["ce-id"]

    deliver(router, QUEUE, [message, placed({product.pk: 2})], times=2)

    product.refresh_from_db()
    assert product.stock == 3
    assert DeadLetter.objects.get().reason == "invalid_envelope"


@pytest.mark.django_db(transaction=True)
def test_revocation_that_names_no_session_is_a_dead_letter() -> None:
    """Only null means every session: a member that was forgotten must not end them all."""
    data = {"user_id": str(uuid7()), "revoked_at": timezone.now().isoformat()}

    deliver(router, "products.users", [make_delivery(UserSessionsRevoked.type, data)])

    assert DeadLetter.objects.get().reason == "invalid_data"
    assert not RevokedSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_revoked_session_is_known_here() -> None:
    session_id = uuid7()
    data = {
        "user_id": str(uuid7()),
        "session_id": str(session_id),
        "revoked_at": timezone.now().isoformat(),
    }

    deliver(router, "products.users", [make_delivery(UserSessionsRevoked.type, data)], times=2)

    assert RevokedSession.objects.get().session == session_id
