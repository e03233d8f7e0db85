from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """A shop's own number for a product, and what it cost before.

    Beside running writes: the index is built and the constraint validated without holding them up,
    and a build that was cut off is begun again. The code of before goes on inserting meanwhile.
    """

    atomic = False

    dependencies = [("products", "0005_order_by_name")]

    operations = [
        migrations.AddField(
            "product",
            "sku",
            models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            "product",
            "compare_at_price",
            models.DecimalField(decimal_places=2, max_digits=12, null=True),
        ),
        AddConstraintNotValid(
            "product",
            models.CheckConstraint(
                condition=Q(("compare_at_price__isnull", True))
                | Q(("compare_at_price__gt", F("price"))),
                name="product_compare_at_price_above_price",
            ),
        ),
        ValidateConstraint("product", "product_compare_at_price_above_price"),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS product_sku_once",
            migrations.RunSQL.noop,
        ),
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
