import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    """Who bought what, how much was sold on each day, and what buyers think of it.

    The new columns rewrite no table.
    """

    dependencies = [
        ("products", "0009_low_stock_of_every_row"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProductSales",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("units", models.BigIntegerField()),
            ],
            options={
                "db_table": "product_sales",
            },
        ),
        migrations.CreateModel(
            name="Purchase",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("customer_id", models.UUIDField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "purchase",
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("customer_id", models.UUIDField()),
                ("rating", models.SmallIntegerField()),
                ("title", models.CharField(blank=True, default="", max_length=120)),
                ("comment", models.TextField(blank=True, default="")),
                ("hidden_at", models.DateTimeField(null=True)),
                ("hidden_by", models.UUIDField(null=True)),
                ("version", models.IntegerField(default=1)),
            ],
            options={
                "db_table": "review",
            },
        ),
        migrations.AddField(
            model_name="product",
            name="rating_average",
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=3),
        ),
        migrations.AddField(
            model_name="product",
            name="rating_count",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="productsales",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="products.product"
            ),
        ),
        migrations.AddField(
            model_name="purchase",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="products.product"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reviews",
                to="products.product",
            ),
        ),
        migrations.AddConstraint(
            model_name="productsales",
            constraint=models.UniqueConstraint(
                fields=("day", "product"), name="product_sales_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="productsales",
            constraint=models.CheckConstraint(
                condition=models.Q(("units__gt", 0)), name="product_sales_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.UniqueConstraint(
                fields=("customer_id", "product"), name="purchase_once"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("hidden_at", None)),
                fields=["product", "-id"],
                name="review_by_product",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                fields=("product", "customer_id"), name="review_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(("rating__gte", 1), ("rating__lte", 5)),
                name="review_rating_known",
            ),
        ),
    ]
