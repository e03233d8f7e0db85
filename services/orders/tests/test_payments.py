"""Payments: whatever the provider does and whenever it answers, money and stock agree.

The provider is the one that the shop ships for this; its book is compared with the shop's.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F
from django.utils import timezone

from orders import operations, tasks
from orders.handlers import router
from orders.models import Actor, Order, OrderHistory, Payment, PaymentStep, ProviderEntry, Status
from orders.payment_providers.test import LATE
from orders.services.fulfilment import Parcel, return_units, ship_order
from orders.services.payments import take_answer
from orders.services.settlement import cancel_order, expire_overdue_orders
from orders.services.transitions import By
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.races import at_once
from tests.factories import make_order, make_product, reserved

STAFF = By(Actor.STAFF, UUID(int=1))
CONFIRMED, CANCELLED = "orders.order_confirmed.v1", "orders.order_cancelled.v1"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _with_provider(settings: Any) -> None:
    settings.PAYMENT_PROVIDER = "test"


def make_reserved(price: str = "10.00", quantity: int = 1) -> Order:
    """Return an order whose stock is reserved."""
    order = make_order({make_product(price=price).pk: quantity})
    deliver(router, "orders.stock", [reserved(order.pk)])
    return order


def ask() -> None:
    """Ask the provider whatever is due, as the job does, and again until nothing is due."""
    while tasks.ask_payment_provider():
        pass


def again() -> None:
    """Let what was asked be due again."""
    PaymentStep.objects.filter(answered_at=None).update(due_at=timezone.now())
    ask()


def state(order: Order) -> tuple[str, str]:
    """Return the states of order and payment."""
    payment = Payment.objects.filter(order=order).first()
    return Order.objects.get(pk=order.pk).status, payment.state if payment else ""


def provider_holds(order: Order) -> Decimal:
    """Return what the customer is out of pocket, by the provider's book."""
    signs = {"authorise": 1, "void": -1, "capture": 0, "refund": -1}
    entries = ProviderEntry.objects.filter(payment_id=order.payment.pk, approved=True)
    total = sum((signs[each.operation] * each.amount for each in entries), Decimal(0))
    return max(total, Decimal(0))


def test_without_a_provider_the_stock_confirms(settings: Any) -> None:
    settings.PAYMENT_PROVIDER = ""

    order = make_reserved()

    assert state(order) == ("confirmed", "")
    assert tasks.ask_payment_provider() == 0


def test_order_is_confirmed_once_its_money_is_there() -> None:
    order = make_reserved("3.39", 2)
    assert state(order) == ("pending", "requested")
    assert outbox_events(CONFIRMED) == []

    ask()

    assert state(order) == ("confirmed", "authorised")
    (event,) = outbox_events(CONFIRMED)
    assert (event["data"]["total"], event["subject"]) == ("6.78", str(order.pk))
    assert event["causation"] == order.payment.cause_id
    assert provider_holds(order) == Decimal("6.78")
    step = OrderHistory.objects.get(order=order, to_status="confirmed")
    assert (step.actor, step.event_id) == ("payment", order.payment.cause_id)


def test_order_that_costs_nothing_needs_no_payment() -> None:
    order = make_reserved("0.00")

    assert state(order) == ("confirmed", "")


def test_declined_payment_cancels_and_releases() -> None:
    order = make_reserved("10.01")

    ask()

    assert state(order) == ("cancelled", "declined")
    (event,) = outbox_events(CANCELLED)
    assert event["data"]["reason"] == "payment"
    assert provider_holds(order) == 0


def test_payment_that_is_never_answered_expires_and_is_voided() -> None:
    order = make_reserved("10.02")
    ask()
    again()
    assert state(order) == ("pending", "requested")

    Order.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    assert expire_overdue_orders() == 1
    ask()

    assert state(order) == ("expired", "voided")
    assert provider_holds(order) == 0
    again()
    assert PaymentStep.objects.filter(answered_at=None).count() == 1
    assert state(order) == ("expired", "voided")


def test_payment_that_is_answered_twice_counts_once() -> None:
    order = make_reserved("10.03")

    for _ in range(3):
        ask()  # each takes the answer that comes unasked

    assert state(order) == ("confirmed", "authorised")
    assert len(outbox_events(CONFIRMED)) == 1
    assert provider_holds(order) == Decimal("10.03")


def test_approval_after_the_expiry_is_voided() -> None:
    order = make_reserved("10.04")
    ask()
    step = PaymentStep.objects.get()
    Order.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    expire_overdue_orders()

    # The answer was under way when the void was written.
    ProviderEntry.objects.update(asked_at=F("asked_at") - LATE, approved=True)
    take_answer(step_id=step.pk, approved=True)
    assert state(order) == ("expired", "authorised")
    ask()

    assert state(order) == ("expired", "voided")
    assert provider_holds(order) == 0
    assert outbox_events(CONFIRMED) == []


def test_late_approval_within_the_deadline_confirms() -> None:
    order = make_reserved("10.04")
    ask()
    assert state(order) == ("pending", "requested")

    ProviderEntry.objects.update(asked_at=F("asked_at") - LATE)
    again()

    assert state(order) == ("confirmed", "authorised")


def test_approval_that_comes_after_the_void_changes_nothing() -> None:
    order = make_reserved("10.02")
    ask()
    authorise = PaymentStep.objects.get()
    cancel_order(order_id=order.pk)
    ask()
    assert state(order) == ("cancelled", "voided")

    take_answer(step_id=authorise.pk, approved=True)

    assert state(order) == ("cancelled", "voided")
    assert PaymentStep.objects.count() == 2


def test_provider_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    order = make_reserved("10.05")
    for _ in range(2):
        again()
        assert state(order) == ("pending", "requested")

    again()

    assert state(order) == ("confirmed", "authorised")
    assert "payment provider is away" in caplog.text


@pytest.mark.parametrize("is_asked", [False, True])
def test_cancelled_order_lets_its_money_go(is_asked: bool) -> None:
    order = make_reserved()
    if is_asked:
        ask()
    cancel_order(order_id=order.pk)
    cancel_order(order_id=order.pk)

    ask()

    assert state(order) == ("cancelled", "voided")
    assert provider_holds(order) == 0
    assert len(outbox_events(CONFIRMED)) == is_asked


def test_shipping_takes_the_money_once() -> None:
    products = [make_product(price="2.00").pk, make_product(price="3.00").pk]
    order = make_order(dict.fromkeys(products, 1))
    deliver(router, "orders.stock", [reserved(order.pk)])
    ask()

    for product_id in products:
        ship_order(order_id=order.pk, by=STAFF, parcel=Parcel(), wanted={product_id: 1})
        ask()

    assert state(order) == ("shipped", "captured")
    assert ProviderEntry.objects.filter(operation="capture").count() == 1
    assert provider_holds(order) == Decimal("5.00")


def test_returned_units_are_refunded_each_once() -> None:
    order = make_reserved("2.50", 3)
    ask()
    ship_order(order_id=order.pk, by=STAFF, parcel=Parcel())
    ask()
    product_id = order.lines.get().product_id

    return_units(order_id=order.pk, by=STAFF, reason="too dark", wanted={product_id: 1})
    ask()
    assert state(order) == ("shipped", "captured")
    assert provider_holds(order) == Decimal("5.00")
    return_units(order_id=order.pk, by=STAFF, reason="too bright")
    ask()

    assert state(order)[1] == "refunded"
    assert Payment.objects.get().refunded_amount == Decimal("7.50")
    assert provider_holds(order) == 0


def test_stock_that_is_reserved_twice_is_paid_once() -> None:
    order = make_reserved()
    deliver(router, "orders.stock", [reserved(order.pk)], times=2)

    ask()

    assert Payment.objects.count() == ProviderEntry.objects.count() == 1
    assert len(outbox_events(CONFIRMED)) == 1


def test_order_that_was_cancelled_before_its_stock_came_is_not_charged() -> None:
    order = make_order()
    cancel_order(order_id=order.pk)

    deliver(router, "orders.stock", [reserved(order.pk)])

    assert state(order) == ("cancelled", "")


def test_answer_and_cancel_at_once_agree() -> None:
    for _ in range(5):
        order = make_reserved()
        step_id = PaymentStep.objects.get(payment__order=order).pk
        moves: list[Callable[[], Any]] = [
            lambda step_id=step_id: take_answer(step_id=step_id, approved=True),  # type: ignore[misc]
            lambda pk=order.pk: cancel_order(order_id=pk),  # type: ignore[misc]
        ]
        ProviderEntry.objects.create(
            key=step_id,
            payment_id=order.payment.pk,
            operation="authorise",
            amount=10,
            approved=True,
        )

        at_once(*moves, *moves)
        ask()

        assert state(order) == ("cancelled", "voided")
        assert provider_holds(order) == 0


def test_workers_at_once_ask_each_thing_once() -> None:
    orders = [make_reserved() for _ in range(8)]

    at_once(*[ask] * 4)

    assert {state(order) for order in orders} == {("confirmed", "authorised")}
    assert set(ProviderEntry.objects.values_list("calls", flat=True)) == {1}


def test_worker_that_died_after_asking_leaves_the_answer_to_the_next() -> None:
    order = make_reserved()
    step = PaymentStep.objects.get()
    # It has claimed and asked; the provider has booked it; the answer was lost.
    PaymentStep.objects.update(asked_at=timezone.now(), tries=1)
    ProviderEntry.objects.create(
        key=step.pk, payment_id=order.payment.pk, operation="authorise", amount=10, approved=True
    )

    ask()

    assert state(order) == ("confirmed", "authorised")
    assert ProviderEntry.objects.count() == 1


def test_refused_capture_is_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    order = make_reserved()
    ask()
    ship_order(order_id=order.pk, by=STAFF, parcel=Parcel())
    ProviderEntry.objects.filter(operation="authorise").update(approved=False)

    ask()

    assert state(order) == (Status.SHIPPED, "authorised")
    assert [each.levelname for each in caplog.records if "refuses" in each.message] == ["ERROR"]


def test_customer_reads_how_an_order_is_paid(customer: Caller, staff: Caller) -> None:
    order = make_order(user_id=customer.id)
    path = f"/api/orders/{order.pk}/payment/"
    problem(customer.get(path), 404)
    deliver(router, "orders.stock", [reserved(order.pk)])
    ask()

    paid = decoded(customer.get(path))

    assert (paid["state"], paid["amount"]) == ("authorised", str(order.total))
    assert decoded(staff.get(path)) == paid
    problem(Caller("customer").get(path), 404)


def test_answer_to_nothing_that_was_asked_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    ProviderEntry.objects.create(
        key=UUID(int=7), payment_id=UUID(int=8), operation="authorise", amount="1.03", approved=True
    )

    assert tasks.ask_payment_provider() == 0

    assert "answer to nothing that was asked" in caplog.text


def test_answer_that_the_provider_owes_is_a_metric() -> None:
    make_reserved("10.02")
    ask()
    PaymentStep.objects.update(created_at=timezone.now() - timedelta(minutes=5))

    values = {gauge.name: gauge.value for gauge in operations.gauges()}

    assert 300 <= values["souk_payments_oldest_unanswered_seconds"] < 600
