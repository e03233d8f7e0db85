from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

INDEXES = [
    (
        "product",
        models.Index(
            fields=["-popularity", "-id"], name="product_by_popularity", condition=Q(active=True)
        ),
    ),
    (
        "product",
        models.Index(fields=["id"], name="product_popular", condition=Q(popularity__gt=0)),
    ),
    ("productsales", models.Index(fields=["product", "day"], name="product_sales_by_product")),
    ("purchase", models.Index(fields=["product", "-id"], name="purchase_by_product")),
]


def built(model, index):
    """What a build that was cut off has left is dropped, and it is begun again."""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"
    return [
        migrations.RunSQL(drop, migrations.RunSQL.noop),
        AddIndexConcurrently(model, index),
    ]


class Migration(migrations.Migration):
    """Built beside running writes."""

    atomic = False

    dependencies = [("products", "0019_popularity")]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        *[operation for each in INDEXES for operation in built(*each)],
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
