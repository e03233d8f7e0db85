"""Look for a text in every table of a database, such as what should have been erased."""

from django.db import connection
from psycopg import sql

TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name
"""
# A row as text holds bytes in hexadecimal; JSON is searched as it is written.
COUNT = "SELECT count(*) FROM {} AS t WHERE lower(t::text) LIKE %s OR lower(t::text) LIKE %s"


def rows_with(text: str) -> dict[str, int]:
    """Return how many rows of each table hold a text, in any case or as bytes, if any do."""
    found: dict[str, int] = {}
    patterns = [f"%{_literal(part)}%" for part in (text.lower(), text.encode().hex())]
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL(COUNT).format(sql.Identifier(table)), patterns)
            count = cursor.fetchone()[0]
            if count:
                found[table] = count
    return found


def _literal(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
