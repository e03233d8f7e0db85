from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Each SKU once. Built beside running writes; a build that was cut off is begun again."""

    atomic = False

    dependencies = [("products", "0006_sku_and_compare_at_price")]

    operations = [
        ValidateConstraint("product", "product_compare_at_price_above_price"),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS product_sku_once", migrations.RunSQL.noop
        ),
        # In PostgreSQL a unique constraint with a condition is an index and nothing else.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY product_sku_once ON product (sku)"
                    " WHERE sku <> '' AND deleted_at IS NULL",
                    "DROP INDEX product_sku_once",
                )
            ],
            [
                migrations.AddConstraint(
                    "product",
                    models.UniqueConstraint(
                        fields=["sku"],
                        name="product_sku_once",
                        condition=~Q(sku="") & Q(deleted_at__isnull=True),
                    ),
                )
            ],
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
