from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The list by rating. Built beside running writes; a build that was cut off is begun again."""

    atomic = False

    dependencies = [("products", "0010_reviews")]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_by_rating", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "product",
            models.Index(
                condition=models.Q(("active", True)),
                fields=["-rating_average", "-id"],
                name="product_by_rating",
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
