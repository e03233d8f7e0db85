import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Files that are imported, and what they have named. New tables only."""

    dependencies = [
        ("products", "0017_bulk_operations"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportChunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("operation_id", models.UUIDField()),
                ("number", models.IntegerField()),
                ("data", models.BinaryField()),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "import_chunk",
                "indexes": [models.Index(fields=["received_at"], name="import_chunk_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("operation_id", "number"), name="import_chunk_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=110)),
                ("line", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="products.bulkoperation",
                    ),
                ),
            ],
            options={
                "db_table": "import_key",
                "constraints": [
                    models.UniqueConstraint(fields=("operation", "key"), name="import_key_once")
                ],
            },
        ),
    ]
