from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    """Built beside running writes; a build that was cut off is begun again."""

    atomic = False

    dependencies = [("products", "0012_search")]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_by_document", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "product", GinIndex(fields=["document"], name="product_by_document")
        ),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_by_attributes", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "product", GinIndex(fields=["attributes"], name="product_by_attributes")
        ),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS product_by_name_part",
                    migrations.RunSQL.noop,
                )
            ],
            [migrations.RemoveIndex("product", "product_by_name_part")],
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
