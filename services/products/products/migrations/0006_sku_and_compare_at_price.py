from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """A shop's own number for a product, and what it cost before.

    Columns with a default in the database rewrite no table, and the code of before goes on
    inserting meanwhile. Existing rows are looked at in the next migration, beside running writes.
    """

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
    ]
