"""Every table that grows is purged: all that is old goes, whatever its number, and nothing else."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections

from servicekit.database import direct_connection
from servicekit.models import OutboxAction, OutboxEvent
from servicekit.operations import purge
from servicekit.testing.fixtures import SetKit
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

#: More than three batches, and the last of them not full.
MANY = 3 * purge.BATCH + 1
#: For each table: how many rows are made, each %(age)s old.
FILL = {
    "outbox": """
        INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at, attempts,
            last_error, sent_at)
        SELECT gen_random_uuid(), 't', 's', 1, '', '', now() - %(age)s::interval, 0, '',
            now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
    "outbox (discarded)": """
        INSERT INTO outbox
            (id, type, subject, sequence, data, traceparent, created_at, attempts, last_error,
                parked_at, discarded_at)
        SELECT gen_random_uuid(), 't', 's', 1, '', '', now() - interval '1 year', 0, '',
            now() - interval '1 year',
            now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
    "inbox": """
        INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)
        SELECT 'q', gen_random_uuid(), 't', '', now() - %(age)s::interval
            FROM generate_series(1, %(count)s)""",
    "idempotency_key": """
        INSERT INTO idempotency_key (caller, operation, key, request_hash, status, body, headers,
            created_at)
        SELECT gen_random_uuid(), 'o', 'k', '', 201, '', '{}', now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
    "revoked_session": """
        INSERT INTO revoked_session (subject, session, before, expires_at)
        SELECT gen_random_uuid(), gen_random_uuid(), now(), now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
    "dead_letter": """
        WITH letters AS (
            INSERT INTO dead_letter
                (queue, type, reason, detail, headers, content_type, body, fingerprint,
                    received_at, state)
            SELECT 'q', 't', 'r', '', '{}', '', '', n::text::bytea, now() - interval '1 year',
                'discarded'
            FROM generate_series(1, %(count)s) AS n RETURNING id)
        INSERT INTO dead_letter_action (letter_id, action, by, note, at)
        SELECT id, 'discarded', 'ada', '', now() - %(age)s::interval FROM letters""",
    "mail": """
        INSERT INTO mail (cause, kind, language, recipient, context, expires_at, claimed_at)
        SELECT gen_random_uuid(), 'k', 'en', '', '{}', now(), now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
    "mail (unsent)": """
        INSERT INTO mail (cause, kind, language, recipient, context, expires_at)
        SELECT gen_random_uuid(), 'k', 'en', 'ada@example.org', '{}', now() - %(age)s::interval
        FROM generate_series(1, %(count)s)""",
}
#: For each table: old enough to go, and just young enough to stay.
AGES = {
    "outbox": ("7 days 1 minute", "6 days 23 hours 59 minutes"),
    "outbox (discarded)": ("90 days 1 minute", "89 days 23 hours 59 minutes"),
    "inbox": ("30 days 1 minute", "29 days 23 hours 59 minutes"),
    "idempotency_key": ("7 days 1 minute", "6 days 23 hours 59 minutes"),
    "revoked_session": ("1 second", "-1 minute"),
    "dead_letter": ("90 days 1 minute", "89 days 23 hours 59 minutes"),
    "mail": ("30 days 1 minute", "29 days 23 hours 59 minutes"),
    "mail (unsent)": ("1 second", "-1 minute"),
}


def fill(table: str, age: str, count: int = 1) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL[table], {"age": age, "count": count})


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table.partition(' ')[0]}")  # noqa: S608 - a table of ours
        return int(cursor.fetchone()[0])


def deleted(done: list[purge.Purged]) -> dict[str, int]:
    return {purged.table: purged.deleted for purged in done}


def in_thread(work: Callable[[], Any], results: list[Any]) -> threading.Thread:
    def run() -> None:
        try:
            results.append(work())
        except purge.PurgeRuns as error:
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_every_table_of_the_kit_is_filled_here() -> None:
    assert set(FILL) == set(AGES) == {purged.table for purged in purge.OF_THE_KIT}


def test_every_table_that_grows_is_purged() -> None:
    """A heartbeat is one row a process; an action goes with its letter or its event."""
    tables = {model._meta.db_table for model in apps.get_app_config("servicekit").get_models()}

    kept = {"heartbeat", "dead_letter_action", "outbox_action"}
    assert tables - {purged.table for purged in purge.OF_THE_KIT} == kept


@pytest.mark.parametrize("table", FILL)
def test_all_old_rows_go_in_one_run_and_the_young_stay(table: str) -> None:
    old, young = AGES[table]
    fill(table, young, 3)
    fill(table, old, MANY)

    done = purge.run()

    assert deleted(done)[table] == MANY
    assert count(table) == 3
    assert sum(deleted(done).values()) == MANY


def test_unsent_events_and_waiting_letters_stay_for_ever() -> None:
    fill("outbox", "10 years", 2)
    fill("dead_letter", "10 years", 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET sent_at = NULL")
        cursor.execute("UPDATE dead_letter SET state = 'waiting'")

    purge.run()

    assert (count("outbox"), count("dead_letter"), count("dead_letter_action")) == (2, 2, 2)


def test_actions_go_with_their_event() -> None:
    fill("outbox", AGES["outbox"][0])
    event = OutboxEvent.objects.get()
    OutboxAction.objects.create(event=event, action="retried", by="ada", at=event.created_at)

    done = purge.run()

    assert deleted(done)["outbox"] == 1
    assert count("outbox_action") == 0


def test_actions_go_with_their_letter() -> None:
    fill("dead_letter", AGES["dead_letter"][0])

    purge.run()

    assert count("dead_letter_action") == 0


@pytest.mark.parametrize("purged", purge.OF_THE_KIT, ids=lambda purged: purged.table)
def test_purge_finds_its_rows_by_an_index(purged: purge.Purge) -> None:
    """Else each round would read the whole table to find nothing."""
    with connection.cursor() as cursor:
        # An empty table is read as a whole all the same, unless that is ruled out.
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {purged.statement}", {"days": purged.days, "batch": purge.BATCH})
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "Seq Scan" not in plan
    assert "statement_timestamp()" in "".join(
        line for line in plan.splitlines() if "Index Cond" in line
    ), plan


def test_purge_that_fails_leaves_the_others_running() -> None:
    for table, (old, _) in AGES.items():
        fill(table, old)

    with direct_connection() as other, other.transaction():
        other.execute("LOCK TABLE inbox")
        done = purge.run()

    assert {purged.table for purged in done if purged.error} == {"inbox"}
    assert {table: count(table) for table in FILL} == {**dict.fromkeys(FILL, 0), "inbox": 1}
    assert deleted(purge.run())["inbox"] == 1


def test_second_purge_of_a_database_leaves_it_to_the_first() -> None:
    fill("inbox", AGES["inbox"][0])
    results: list[Any] = []

    with direct_connection() as other, other.transaction():
        other.execute("LOCK TABLE inbox")
        first = in_thread(purge.run, results)
        wait_until(somebody_waits_for_a_lock)
        with pytest.raises(purge.PurgeRuns):
            purge.run()
        with pytest.raises(CommandError, match="Another process"):
            call_command("purge")
    first.join(20)

    assert count("inbox") == 0
    assert deleted(purge.run())["inbox"] == 0, "the lock was given back"


def test_purges_at_once_do_not_clash() -> None:
    fill("outbox", AGES["outbox"][0], MANY)
    results: list[Any] = []

    for thread in [in_thread(purge.run, results) for _ in range(4)]:
        thread.join(60)
    purge.run()

    assert count("outbox") == 0
    assert all(
        isinstance(purged, purge.PurgeRuns) or not any(each.error for each in purged)
        for purged in results
    )


def test_limited_run_takes_a_batch_of_each_table() -> None:
    """A table with a backlog, or one that grows as fast as it is purged, holds up no other."""
    for table, (old, _) in AGES.items():
        fill(table, old, 2 * purge.BATCH)

    done = purge.run(seconds=0)

    assert deleted(done) == dict.fromkeys(FILL, purge.BATCH)
    assert sum(deleted(purge.run()).values()) == len(FILL) * purge.BATCH


def test_command_tells_what_was_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    fill("outbox", AGES["outbox"][0], 2)

    call_command("purge")

    lines = dict(
        re.findall(r"^(.+?) +(\d+) deleted", line)[0]
        for line in capsys.readouterr().out.splitlines()
    )
    assert lines == {**dict.fromkeys(FILL, "0"), "outbox": "2"}


def test_purges_of_a_service_run_too(set_kit: SetKit) -> None:
    set_kit(purges="tests.project.purges.PURGES")

    assert deleted(purge.run())["nothing"] == 0
