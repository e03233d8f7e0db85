"""What a test committed is deleted after it.

Django truncates, which makes new files for every table and index, as after a test of nothing: 100
to 300 ms, where deleting the few rows that there are takes 3.
"""

from django.db import connection
from django.test import TransactionTestCase

#: The same in every test: Django fills them after the migrations.
KEPT = {"django_content_type", "auth_permission"}
#: Like TRUNCATE, it waits for every transaction that is open. Neither foreign keys nor triggers
#: apply. A table that was large is made anew, or the next test's plans would be for dead rows.
EMPTY = """
    DO $$
    DECLARE name text;
    BEGIN
        SET LOCAL session_replication_role = replica;
        LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;
        FOREACH name IN ARRAY ARRAY['{array}'] LOOP
            IF pg_relation_size(name::regclass) > 1000000 THEN
                EXECUTE 'TRUNCATE ' || name || ' CASCADE';
            ELSE
                EXECUTE 'DELETE FROM ' || name;
            END IF;
        END LOOP;
    END $$
"""


def empty_tables() -> None:
    """Delete all rows of the models' tables, as a superuser."""
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    names = [connection.ops.quote_name(name) for name in sorted(set(found) - KEPT)]
    with connection.cursor() as cursor:
        cursor.execute(EMPTY.format(tables=", ".join(names), array="', '".join(names)))


def replace_flush() -> None:
    """Have tests with `django_db(transaction=True)` end with `empty_tables`."""
    TransactionTestCase._fixture_teardown = lambda _case: empty_tables()  # type: ignore[attr-defined]
