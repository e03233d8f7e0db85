from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    """Order by name as people read it, and alike in every database.

    Built beside running writes; a build that was cut off is begun again.
    """

    atomic = False

    dependencies = [("products", "0004_stock_holds_every_release")]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_by_name_collated", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="product",
            index=models.Index(
                Collate("name", "und-x-icu"),
                "id",
                name="product_by_name_collated",
                condition=models.Q(("active", True)),
            ),
        ),
        RemoveIndexConcurrently(model_name="product", name="product_by_name"),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
