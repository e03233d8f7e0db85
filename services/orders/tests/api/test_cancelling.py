"""Taking an order back."""

import pytest
from django.utils import timezone

from orders.models import Status
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.api.calls import PATH
from tests.factories import make_order


@pytest.mark.django_db
def test_cancel_of_a_rejected_order_is_409_and_tells_its_state(customer: Caller) -> None:
    order = make_order(user_id=customer.id, status=Status.REJECTED, settled_at=timezone.now())

    body = problem(customer.post(f"{PATH}{order.pk}/cancel/"), 409, "not_cancellable")

    assert body["order_status"] == "rejected"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b'{"lines": [1]}',
        b'{"line": null}',
        b'{"": 1}',
        b"[]",
        b"[1]",
        b'"x"',
        b"0",
        b"null",
        b"false",
        b"{",
    ],
)
def test_cancel_with_a_body_that_asks_for_anything_is_refused(
    customer: Caller, body: bytes
) -> None:
    order = make_order(user_id=customer.id)
    before = outbox_events()

    answer = customer.post(f"{PATH}{order.pk}/cancel/", raw=body)

    problem(answer, 400)
    order.refresh_from_db()
    assert order.status == Status.PENDING
    assert outbox_events() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((body, "application/json") for body in (b"", b"{}", b" {} ")),
        *((b"", kind) for kind in ("", "text/plain", "application/x-www-form-urlencoded")),
    ],
)
def test_cancel_with_nothing_in_its_body_cancels(customer: Caller, body: bytes, kind: str) -> None:
    order = make_order(user_id=customer.id)

    answer = customer.post(f"{PATH}{order.pk}/cancel/", raw=body, content_type=kind)

    assert decoded(answer)["status"] == "cancelled"


@pytest.mark.django_db
def test_only_a_new_order_may_have_a_large_body(customer: Caller) -> None:
    order = make_order(user_id=customer.id)
    large = b'{"note": "' + b"x" * 20 * 1024 + b'"}'

    problem(customer.call("POST", f"{PATH}{order.pk}/cancel/", raw=large), 413)
    problem(customer.call("POST", PATH, raw=large), 400)
