from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


def built(name, fields, columns, where, condition):
    """In PostgreSQL a unique constraint with a condition is an index and nothing else."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON stock_movement ({columns})"
                    f" WHERE {where}",
                    f"DROP INDEX {name}",
                )
            ],
            [
                migrations.AddConstraint(
                    "stockmovement",
                    models.UniqueConstraint(fields=fields, name=name, condition=condition),
                )
            ],
        ),
    ]


class Migration(migrations.Migration):
    """An order takes and gives back once, a return comes back once. Built beside running writes; a
    build that was cut off is begun again.
    """

    atomic = False

    dependencies = [("products", "0024_returns")]

    operations = [
        ValidateConstraint("stockmovement", "stock_movement_says_for_what"),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        *built(
            "stock_movement_sold_once",
            ["order_id", "product", "kind"],
            "order_id, product_id, kind",
            "order_id IS NOT NULL AND return_id IS NULL",
            Q(order_id__isnull=False, return_id__isnull=True),
        ),
        *built(
            "stock_movement_returned_once",
            ["return_id", "product"],
            "return_id, product_id",
            "return_id IS NOT NULL",
            Q(return_id__isnull=False),
        ),
        # The guard of before goes when its successor is there.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS stock_movement_once",
                    migrations.RunSQL.noop,
                )
            ],
            [migrations.RemoveConstraint("stockmovement", "stock_movement_once")],
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
