from django.db import migrations, models


class Migration(migrations.Migration):
    """Which alerts were mailed, which reservations confirmed. The columns rewrite no table.

    Reservations that exist count as counted among the sales: those that were confirmed are, and
    the answer to a question about them must not count them again.
    """

    dependencies = [("products", "0013_search_indexes")]

    operations = [
        migrations.AddField("stockalert", "mailed_at", models.DateTimeField(null=True)),
        migrations.AddField("reservation", "confirmed_at", models.DateTimeField(null=True)),
        migrations.AddField("reservation", "asked_at", models.DateTimeField(null=True)),
        # Existing rows keep the first default without being written.
        migrations.AddField(
            "reservation", "is_counted", models.BooleanField(default=True, db_default=True)
        ),
        migrations.AlterField(
            "reservation", "is_counted", models.BooleanField(default=False, db_default=False)
        ),
    ]
