from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

BATCH = 5000
NUMBER_ORDERS = """
    UPDATE orders SET serial = nextval('order_serial') WHERE id = ANY(ARRAY(
        SELECT id FROM orders WHERE serial IS NULL AND id > %s ORDER BY id LIMIT %s
    )) RETURNING id
"""
INDEXES = {
    "order": [
        models.Index(fields=["status", "id"], name="order_by_status"),
        models.Index(
            fields=["user_id"], name="order_pending_by_user", condition=Q(status="pending")
        ),
    ],
    "orderline": [models.Index(fields=["product_id", "order"], name="order_line_by_product")],
}


def number_orders(apps, schema_editor):
    """Give each order of before its serial, oldest first, a few thousand in a transaction."""
    last = "00000000-0000-0000-0000-000000000000"
    while last:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(NUMBER_ORDERS, [last, BATCH])
            last = max((row[0] for row in cursor.fetchall()), default=None)


def rebuilt(model, index):
    """A build that was cut off left an index of no use: it is begun again."""
    return [
        migrations.RunSQL(
            f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(model, index),
    ]


class Migration(migrations.Migration):
    """Serials of the orders that exist, and indexes for lists. Built beside running writes."""

    atomic = False

    dependencies = [("orders", "0002_fulfilment")]

    operations = [
        migrations.RunPython(number_orders, migrations.RunPython.noop),
        # Or NOT NULL would read the table while nobody may use it.
        migrations.RunSQL(
            """
            ALTER TABLE orders DROP CONSTRAINT IF EXISTS order_serial_there;
            ALTER TABLE orders
                ADD CONSTRAINT order_serial_there CHECK (serial IS NOT NULL) NOT VALID;
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "ALTER TABLE orders VALIDATE CONSTRAINT order_serial_there", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            """
            ALTER TABLE orders ALTER COLUMN serial SET NOT NULL;
            ALTER TABLE orders DROP CONSTRAINT order_serial_there;
            """,
            "ALTER TABLE orders ALTER COLUMN serial DROP NOT NULL",
        ),
        ValidateConstraint("orderline", "order_line_units_in_turn"),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        *[
            operation
            for model, indexes in INDEXES.items()
            for index in indexes
            for operation in rebuilt(model, index)
        ],
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "ALTER TABLE orders DROP CONSTRAINT IF EXISTS order_serial_once",
                    migrations.RunSQL.noop,
                ),
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS order_serial_once", migrations.RunSQL.noop
                ),
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY order_serial_once ON orders (serial)",
                    migrations.RunSQL.noop,
                ),
                migrations.RunSQL(
                    "ALTER TABLE orders ADD CONSTRAINT order_serial_once"
                    " UNIQUE USING INDEX order_serial_once",
                    "ALTER TABLE orders DROP CONSTRAINT order_serial_once",
                ),
            ],
            [
                migrations.AddConstraint(
                    "order",
                    models.UniqueConstraint(fields=["serial"], name="order_serial_once"),
                )
            ],
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
