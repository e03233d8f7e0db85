from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """Whose account was deleted writes nothing more."""

    dependencies = [("products", "0025_returned_once")]

    operations = [
        migrations.CreateModel(
            name="ForgottenCustomer",
            fields=[
                ("customer_id", models.UUIDField(primary_key=True, serialize=False)),
                ("forgotten_at", models.DateTimeField(db_default=Now())),
            ],
            options={"db_table": "forgotten_customer"},
        ),
    ]
