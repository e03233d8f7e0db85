import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


def without_index(name, to, on_delete, related_name):
    field = models.ForeignKey(
        db_index=False, on_delete=on_delete, related_name=related_name, to=f"products.{to}"
    )
    return migrations.AlterField("bulkchange", name, field)


class Migration(migrations.Migration):
    """An index for staff's lists; fewer where many rows are written. Built beside running writes; a
    build that was cut off is begun again.
    """

    atomic = False

    dependencies = [("products", "0021_statistics_of_attributes")]

    operations = [
        without_index("operation", "bulkoperation", django.db.models.deletion.CASCADE, "changes"),
        without_index("product", "product", django.db.models.deletion.PROTECT, "+"),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_by_newest_of_all", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "product",
            models.Index(
                condition=Q(deleted_at__isnull=True),
                fields=["-created_at", "-id"],
                name="product_by_newest_of_all",
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
