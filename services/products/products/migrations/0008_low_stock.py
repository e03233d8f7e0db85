import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """A threshold for each product, and the times in which its stock was at or below it.

    A column with a default in the database rewrites no table. Existing rows are looked at in the
    next migration, beside running writes.
    """

    dependencies = [("products", "0007_sku_once")]

    operations = [
        migrations.AddField(
            "product", "low_stock_threshold", models.IntegerField(db_default=0, default=0)
        ),
        AddConstraintNotValid(
            "product",
            models.CheckConstraint(
                condition=Q(("low_stock_threshold__gte", 0)), name="product_threshold_not_negative"
            ),
        ),
        migrations.CreateModel(
            "StockAlert",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stock", models.BigIntegerField()),
                ("threshold", models.IntegerField()),
                ("opened_at", models.DateTimeField(db_default=Now())),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="products.product",
                    ),
                ),
            ],
            {
                "db_table": "stock_alert",
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("closed_at", None)),
                        fields=("product",),
                        name="stock_alert_open_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(("stock__lte", F("threshold"))), name="stock_alert_is_low"
                    ),
                ],
            },
        ),
    ]
