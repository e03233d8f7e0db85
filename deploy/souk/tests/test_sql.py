"""PostgreSQL's own programs against a real server."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from native import packages
from souk import sql
from souk.console import CommandError
from souk.runtime import DatabaseClient


@pytest.fixture
def client() -> Iterator[DatabaseClient]:
    url = urlsplit(os.environ["TEST_DATABASE_URL"])
    options = ("-h", str(url.hostname), "-p", str(url.port), "-U", str(url.username))
    folder = f"{packages.postgresql_bin()}/"
    made = DatabaseClient((), folder, options, {"PGPASSWORD": str(url.password)})
    sql.run_script(
        made, "postgres", "DROP TABLE IF EXISTS souk_sql_test; CREATE TABLE souk_sql_test (n int);"
    )
    yield made
    sql.run_script(made, "postgres", "DROP TABLE souk_sql_test;")


def count(client: DatabaseClient) -> str:
    return sql.run_script(client, "postgres", "SELECT count(*) FROM souk_sql_test;").strip()


def test_session_keeps_its_transaction_open(client: DatabaseClient) -> None:
    with sql.Session(client, "postgres") as session:
        session.ask("BEGIN")
        session.ask("INSERT INTO souk_sql_test VALUES (1), (2)")

        assert session.ask("SELECT sum(n), 'a' FROM souk_sql_test") == "3|a"
        assert count(client) == "0"

        session.ask("COMMIT")
    assert count(client) == "2"


def test_session_that_ends_rolls_back_what_is_open(client: DatabaseClient) -> None:
    with sql.Session(client, "postgres") as session:
        session.ask("BEGIN")
        session.ask("INSERT INTO souk_sql_test VALUES (1)")

    assert count(client) == "0"


def test_statement_that_fails_says_why_and_where(client: DatabaseClient) -> None:
    with (
        sql.Session(client, "postgres") as session,
        pytest.raises(CommandError, match=r'postgres: .*relation "nothing" does not exist'),
    ):
        session.ask("SELECT * FROM nothing")


def test_script_is_done_whole_or_not_at_all(client: DatabaseClient) -> None:
    with pytest.raises(CommandError, match="division by zero"):
        sql.run_script(client, "postgres", "INSERT INTO souk_sql_test VALUES (1); SELECT 1 / 0;")

    assert count(client) == "0"


def test_script_may_be_longer_than_a_command_line(client: DatabaseClient) -> None:
    rows = "\n".join(str(number) for number in range(50_000))

    sql.run_script(client, "postgres", f"COPY souk_sql_test FROM STDIN;\n{rows}\n\\.\n")

    assert count(client) == "50000"


def test_program_that_is_not_there_is_an_error_not_a_hang(client: DatabaseClient) -> None:
    wrong = DatabaseClient((), client.folder, ("-h", "127.0.0.1", "-p", "1"))

    with pytest.raises(CommandError, match="psql failed"):
        sql.run_script(wrong, "postgres", "SELECT 1;")
