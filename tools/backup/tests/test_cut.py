"""The snapshots of three databases hold no effect without its cause."""

import threading
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from conftest import Connect

from backup import cut
from native.runtime import NativeRuntime
from souk import sql
from souk.checkout import SERVICES
from souk.console import CommandError, wait_until

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'"
INBOX = "INSERT INTO inbox VALUES ('orders.stock', %s)"


def count(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row
    return int(row[0])


def test_cut_waits_for_the_consumer_that_is_at_work(
    shop: NativeRuntime, connect: Connect, tmp_path: Path
) -> None:
    """What it commits is in the cut: the locks wait for it, and the snapshots for the locks."""

    def dump() -> None:
        with cut.snapshots(shop) as found:
            cut.dump(shop, "orders", found["orders"], tmp_path / "orders.dump")

    thread = threading.Thread(target=dump)
    with connect("orders") as consumer, connect("orders") as watcher:
        with consumer.transaction():
            consumer.execute(INBOX, [uuid4()])
            thread.start()
            wait_until(lambda: count(watcher, WAITING) == 1, 30, "nobody waits for the consumer")
        thread.join(30)
        consumer.execute("DELETE FROM inbox")
        consumer.execute("DROP TABLE inbox, outbox, dead_letter, django_migrations")

    cut.restore(shop, "orders", tmp_path / "orders.dump")

    with connect("orders") as restored:
        assert count(restored, "SELECT count(*) FROM inbox") == 1


def test_consumers_go_on_while_the_dumps_are_written_and_are_not_in_them(
    shop: NativeRuntime, connect: Connect, tmp_path: Path
) -> None:
    with connect("orders") as consumer:
        consumer.execute(INBOX, [uuid4()])
        with cut.snapshots(shop) as found:
            consumer.execute(INBOX, [uuid4()])
            cut.dump(shop, "orders", found["orders"], tmp_path / "orders.dump")
        assert count(consumer, "SELECT count(*) FROM inbox") == 2
        consumer.execute("DROP TABLE inbox, outbox, dead_letter, django_migrations")

    cut.restore(shop, "orders", tmp_path / "orders.dump")

    with connect("orders") as restored:
        assert count(restored, "SELECT count(*) FROM inbox") == 1
        query = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert restored.execute(query).fetchall() == [("orders",)]


def test_consumer_that_does_not_end_in_time_is_named(
    shop: NativeRuntime, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "LOCK", cut.LOCK.replace("30s", "10ms"))
    with connect("products") as consumer, consumer.transaction():
        consumer.execute(INBOX, [uuid4()])

        with pytest.raises(CommandError, match=r"products: .*lock timeout"), cut.snapshots(shop):
            pass

    with connect("users") as other:
        assert count(other, "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock'") == 0


def test_dump_that_is_cut_off_is_refused_and_says_why(shop: NativeRuntime, tmp_path: Path) -> None:
    with cut.snapshots(shop) as found:
        assert found.keys() == set(SERVICES)
        cut.dump(shop, "users", found["users"], tmp_path / "users.dump")
    whole = (tmp_path / "users.dump").read_bytes()
    (tmp_path / "users.dump").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CommandError, match="pg_restore failed"):
        cut.restore(shop, "users", tmp_path / "users.dump")


def test_script_that_fails_has_done_nothing(shop: NativeRuntime, connect: Connect) -> None:
    script = "DELETE FROM django_migrations; CREATE TABLE made (); SELECT 1 / 0;"

    with pytest.raises(CommandError, match="division by zero"):
        sql.run_script(shop.client("users"), "users", script)

    with connect("users") as connection:
        assert count(connection, "SELECT count(*) FROM pg_tables WHERE tablename = 'made'") == 0


def test_session_says_what_was_wrong_with_a_statement(shop: NativeRuntime) -> None:
    with sql.Session(shop.client("users"), "users") as session:
        assert session.ask("SELECT 'a', 1") == "a|1"
        with pytest.raises(CommandError, match=r"users: .*syntax error"):
            session.ask("SELEC")
