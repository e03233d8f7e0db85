import uuid

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


def key():
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def product(related_name="+"):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="products.product",
    )


class Migration(migrations.Migration):
    """What is looked at, and what goes with what. The new column rewrites no table."""

    dependencies = [("products", "0018_import_files")]

    operations = [
        migrations.CreateModel(
            name="JobPosition",
            fields=[
                ("job", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("after", models.UUIDField(default=uuid.UUID(int=0))),
            ],
            options={"db_table": "job_position"},
        ),
        migrations.CreateModel(
            name="ProductViews",
            fields=[
                ("id", key()),
                ("product", product()),
                ("day", models.DateField()),
                ("views", models.BigIntegerField()),
            ],
            options={
                "db_table": "product_views",
                "indexes": [models.Index(fields=["day", "product"], name="product_views_by_day")],
                "constraints": [
                    models.UniqueConstraint(fields=("product", "day"), name="product_views_once"),
                    models.CheckConstraint(condition=Q(views__gt=0), name="product_views_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RelatedProduct",
            fields=[
                ("id", key()),
                ("product", product("related")),
                ("other", product()),
                ("customers", models.IntegerField()),
            ],
            options={
                "db_table": "related_product",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("product", "other"), name="related_product_once"
                    ),
                    models.CheckConstraint(
                        condition=~Q(product=F("other")), name="related_product_other"
                    ),
                ],
            },
        ),
        migrations.AddField(
            "product", "popularity", models.IntegerField(db_default=0, default=0)
        ),
    ]
