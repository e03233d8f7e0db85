from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

SAYS_FOR_WHAT = (
    Q(kind__in=["reservation", "release"], order_id__isnull=False, return_id__isnull=True)
    | Q(kind="return", order_id__isnull=False, return_id__isnull=False)
    | Q(kind__in=["initial", "adjustment"], order_id__isnull=True, return_id__isnull=True)
)


class Migration(migrations.Migration):
    """Units that come back are a movement of their own. The column rewrites no table."""

    dependencies = [("products", "0023_published_reviews_by_id")]

    operations = [
        migrations.AddField("stockmovement", "return_id", models.UUIDField(null=True)),
        migrations.AlterField(
            "stockmovement",
            "kind",
            models.CharField(
                choices=[
                    ("initial", "Initial"),
                    ("adjustment", "Adjustment"),
                    ("reservation", "Reservation"),
                    ("release", "Release"),
                    ("return", "Return"),
                ],
                max_length=12,
            ),
        ),
        migrations.RemoveConstraint("stockmovement", "stock_movement_order_if_sold"),
        AddConstraintNotValid(
            "stockmovement",
            models.CheckConstraint(condition=SAYS_FOR_WHAT, name="stock_movement_says_for_what"),
        ),
    ]
