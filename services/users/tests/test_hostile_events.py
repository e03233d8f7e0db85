"""Events that nobody should send: each is handled or becomes a dead letter, and does no harm."""

from uuid import UUID

import pytest

from servicekit.models import DeadLetter
from servicekit.testing.deliver import deliver, make_delivery
from servicekit.testing.hostile_events import check_what_was_kept, hostile_data, sample_of
from tests.factories import make_account
from users.handlers import router

HANDLED = [
    (queue, event_type) for queue, handlers in router.queues.items() for event_type in handlers
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("queue", "event_type"), HANDLED)
def test_hostile_data_is_handled_or_a_dead_letter(queue: str, event_type: str) -> None:
    sample = sample_of(event_type)
    make_account(UUID(sample["user_id"]))
    for data in hostile_data(sample):
        deliver(router, queue, [make_delivery(event_type, data)])

    assert DeadLetter.objects.filter(reason="invalid_data").exists()
    check_what_was_kept()
