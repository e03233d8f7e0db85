from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """No existing threshold is negative: looked at beside running writes."""

    atomic = False

    dependencies = [("products", "0008_low_stock")]

    operations = [ValidateConstraint("product", "product_threshold_not_negative")]
