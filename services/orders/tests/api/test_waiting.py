"""`Prefer: wait`: the answer waits for the outcome."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from servicekit.testing.client import Caller, decoded, problem
from tests.api.calls import PATH, decide, lines
from tests.factories import make_product, rejected, reserved


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_with_the_confirmed_order(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: reserved(order.pk))

    answer = customer.post(PATH, lines((product.product_id, 1)), Prefer="wait=10")

    thread.join()
    assert decoded(answer, 201)["status"] == "confirmed"
    assert answer["Preference-Applied"] == "wait=10"


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_with_every_short_line(customer: Caller) -> None:
    product = make_product()
    thread = decide(lambda order: rejected(order.pk, product.product_id, requested=3, available=1))

    answer = customer.post(PATH, lines((product.product_id, 3)), Prefer="wait=10")

    thread.join()
    body = problem(answer, 409, "out_of_stock")
    assert body["shortages"] == [
        {
            "product": str(product.product_id),
            "requested": 3,
            "available": 1,
            "reason": "insufficient_stock",
        }
    ]
    assert body["order"]["status"] == "rejected"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prefer", ["wait=0", "wait=1", 'respond-async, wait="1"', "WAIT=1"])
def test_waiting_in_vain_answers_202(customer: Caller, prefer: str) -> None:
    product = make_product()

    answer = customer.post(PATH, lines((product.product_id, 1)), Prefer=prefer)

    assert decoded(answer, 202)["status"] == "pending"
    assert "Location" in answer


@pytest.mark.django_db
@pytest.mark.parametrize("prefer", ["wait", "wait=-1", "wait=x", "return=minimal", "wait=1.5", ""])
def test_preference_that_cannot_be_read_is_ignored(customer: Caller, prefer: str) -> None:
    product = make_product()

    decoded(customer.post(PATH, lines((product.product_id, 1)), Prefer=prefer), 201)


@pytest.mark.django_db(transaction=True)
def test_waiters_leave_threads_for_others(customer: Caller, settings: Any) -> None:
    from orders.api import waiting

    product = make_product()
    places = waiting._places._value
    for _ in range(places):
        assert waiting._places.acquire(blocking=False)
    try:
        started = timezone.now()
        answer = customer.post(PATH, lines((product.product_id, 1)), Prefer="wait=10")
        waited = timezone.now() - started
    finally:
        for _ in range(places):
            waiting._places.release()

    assert decoded(answer, 202)["status"] == "pending"
    assert waited < timedelta(seconds=9)


def test_waiting_requests_never_take_every_thread() -> None:
    """Each web process has WEB_THREADS of them."""
    code = (
        "import django; django.setup(); "
        "from orders.api import waiting; print(waiting._places._value)"
    )
    found = {
        threads: int(
            subprocess.run(
                [sys.executable, "-c", code],
                env={
                    **os.environ,
                    "WEB_THREADS": threads,
                    "DJANGO_SETTINGS_MODULE": "orders.settings",
                },
                capture_output=True,
                check=True,
            ).stdout
        )
        for threads in ("1", "2", "3", "8")
    }

    assert found == {"1": 0, "2": 0, "3": 1, "8": 6}
