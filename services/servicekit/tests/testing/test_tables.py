"""Nothing of a test is left for the next."""

import threading

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, connections

from servicekit.database import direct_connection
from servicekit.models import InboxEvent, OutboxEvent
from servicekit.testing.tables import empty_tables
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FILL = """
    INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)
    SELECT 'q', gen_random_uuid(), 't', '', now() FROM generate_series(1, %s)
"""


def fill_inbox(rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [rows])


@pytest.mark.parametrize("rows", [1, 20_000])
def test_rows_are_gone_whatever_refers_to_them(rows: int) -> None:
    fill_inbox(rows)
    person = User.objects.create_user("ada")
    person.user_permissions.set(Permission.objects.all()[:3])
    assert person.user_permissions.count() == 3
    permissions = Permission.objects.count()

    for _ in range(2):
        empty_tables()

    assert not InboxEvent.objects.exists()
    assert not User.objects.exists()
    assert not User.user_permissions.through.objects.exists()
    assert Permission.objects.count() == permissions


def test_what_is_not_committed_yet_is_waited_for() -> None:
    def empty() -> None:
        empty_tables()
        connections.close_all()

    with direct_connection() as other, other.transaction():
        other.execute(FILL, [1])
        emptying = threading.Thread(target=empty)
        emptying.start()
        wait_until(somebody_waits_for_a_lock)
    emptying.join(20)

    assert not InboxEvent.objects.exists()


def test_foreign_keys_apply_again_afterwards() -> None:
    empty_tables()

    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)
    assert not OutboxEvent.objects.exists()
