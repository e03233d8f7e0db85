"""Rows of products that are no longer needed (servicekit.operations.purge deletes them)."""

from servicekit.operations.purge import Purge, delete_older

#: Until then an operation can be undone.
KEPT_DAYS = 90


def _delete_of_ended_operations(table: str) -> str:
    """What hangs on an operation goes before it, a batch at a time: it may be a million rows."""
    return f"""
    DELETE FROM {table} WHERE id = ANY(ARRAY(
        SELECT part.id
        FROM bulk_operation JOIN {table} AS part ON part.operation_id = bulk_operation.id
        WHERE bulk_operation.finished_at
            < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY bulk_operation.finished_at LIMIT %(batch)s FOR UPDATE OF part SKIP LOCKED))
    """  # noqa: S608 - our own words


BULK_CHANGES = Purge("bulk_change", _delete_of_ended_operations("bulk_change"), days=KEPT_DAYS)
BULK_ERRORS = Purge("bulk_error", _delete_of_ended_operations("bulk_error"), days=KEPT_DAYS)
IMPORT_KEYS = Purge("import_key", _delete_of_ended_operations("import_key"), days=1)
# Also of files whose upload was cut off, and that no operation knows.
IMPORT_CHUNKS = Purge(
    "import_chunk",
    delete_older(
        "import_chunk",
        age="received_at",
        also="""
            NOT EXISTS (
                SELECT FROM bulk_operation WHERE bulk_operation.id = import_chunk.operation_id
                    AND finished_at IS NULL OFFSET 0
            )
        """,
    ),
    days=1,
)
BULK_OPERATIONS = Purge(
    "bulk_operation",
    delete_older(
        "bulk_operation",
        age="finished_at",
        also="""
            NOT EXISTS (SELECT FROM bulk_change WHERE operation_id = bulk_operation.id OFFSET 0)
            AND NOT EXISTS (SELECT FROM bulk_error WHERE operation_id = bulk_operation.id OFFSET 0)
            AND NOT EXISTS (SELECT FROM import_key WHERE operation_id = bulk_operation.id OFFSET 0)
            AND NOT EXISTS (
                SELECT FROM bulk_operation AS undo WHERE undo.undoes_id = bulk_operation.id OFFSET 0
            )
        """,
    ),
    days=KEPT_DAYS,
)
# They count for 30 days (services/recommendations/popularity.py).
PRODUCT_VIEWS = Purge("product_views", delete_older("product_views", age="day"), days=31)
PURGES = [PRODUCT_VIEWS, BULK_CHANGES, BULK_ERRORS, IMPORT_KEYS, IMPORT_CHUNKS, BULK_OPERATIONS]
