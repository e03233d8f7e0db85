"""The search through every table finds text, also within JSON and bytes."""

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.models import DeadLetter, Heartbeat, IdempotencyKey
from servicekit.testing.text_search import rows_with


@pytest.mark.django_db
def test_text_is_found_in_columns_json_and_bytes() -> None:
    now = timezone.now()
    Heartbeat.objects.create(process="x", beat_at=now, finding="Ask ada@example.org")
    IdempotencyKey.objects.create(
        caller=uuid7(),
        operation="x",
        key="x",
        request_hash=b"",
        status=201,
        body=b'{"email": "ada@example.org"}',
        created_at=now,
    )
    DeadLetter.objects.create(
        queue="x",
        reason="x",
        headers={"ce-subject": "ADA@example.org"},
        body=b"",
        fingerprint=b"",
        received_at=now,
    )

    assert rows_with("ada@example.org") == {
        "dead_letter": 1,
        "heartbeat": 1,
        "idempotency_key": 1,
    }
    assert rows_with("a_a@example.org") == rows_with("a%example.org") == {}
