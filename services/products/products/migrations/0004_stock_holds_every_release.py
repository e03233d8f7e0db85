from django.db import migrations, models


class Migration(migrations.Migration):
    """Rewrites the table once: some seconds for a million products, in which the catalogue is neither read nor written."""

    dependencies = [("products", "0003_deleted_products_leave_their_category")]

    operations = [
        migrations.AlterField(
            model_name="product", name="stock", field=models.BigIntegerField(default=0)
        ),
    ]
