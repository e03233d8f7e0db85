import django.core.serializers.json
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    """Bulk operations, what each changed, and why something stayed. New tables only."""

    dependencies = [
        ("products", "0016_images"),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkOperation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("change_prices", "Change Prices"),
                            ("activate", "Activate"),
                            ("deactivate", "Deactivate"),
                            ("undo", "Undo"),
                            ("import", "Import"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                (
                    "parameters",
                    models.JSONField(
                        default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                ("by", models.UUIDField(null=True)),
                ("total", models.BigIntegerField(null=True)),
                ("done", models.BigIntegerField(default=0)),
                ("created", models.BigIntegerField(default=0)),
                ("changed", models.BigIntegerField(default=0)),
                ("repeated", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("last_id", models.UUIDField(null=True)),
                ("position", models.BigIntegerField(default=0)),
                ("line", models.BigIntegerField(default=0)),
                ("error", models.CharField(blank=True, default="", max_length=300)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "undoes",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone",
                        to="products.bulkoperation",
                    ),
                ),
            ],
            options={
                "db_table": "bulk_operation",
            },
        ),
        migrations.CreateModel(
            name="BulkError",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("product_id", models.UUIDField(null=True)),
                ("line", models.BigIntegerField(null=True)),
                ("pointer", models.CharField(blank=True, default="", max_length=200)),
                ("code", models.CharField(max_length=50)),
                ("detail", models.CharField(max_length=300)),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="errors",
                        to="products.bulkoperation",
                    ),
                ),
            ],
            options={
                "db_table": "bulk_error",
            },
        ),
        migrations.CreateModel(
            name="BulkChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("price_before", models.DecimalField(decimal_places=2, max_digits=12)),
                ("price_after", models.DecimalField(decimal_places=2, max_digits=12)),
                ("active_before", models.BooleanField()),
                ("active_after", models.BooleanField()),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="products.product",
                    ),
                ),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="products.bulkoperation",
                    ),
                ),
            ],
            options={
                "db_table": "bulk_change",
            },
        ),
        migrations.AddIndex(
            model_name="bulkoperation",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "running"])),
                fields=["id"],
                name="bulk_operation_unfinished",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkoperation",
            index=models.Index(fields=["finished_at"], name="bulk_operation_finished"),
        ),
        migrations.AddConstraint(
            model_name="bulkoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("state__in", ["queued", "running"])),
                    models.Q(
                        ("finished_at__isnull", False),
                        ("state__in", ["done", "failed", "cancelled"]),
                    ),
                    _connector="OR",
                ),
                name="bulk_operation_finished_when_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "undo"), ("undoes__isnull", False)),
                    models.Q(models.Q(("kind", "undo"), _negated=True), ("undoes__isnull", True)),
                    _connector="OR",
                ),
                name="bulk_operation_undo_of_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkoperation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["queued", "running", "done"])),
                fields=("undoes",),
                name="bulk_operation_undone_once",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkerror",
            index=models.Index(fields=["operation", "id"], name="bulk_error_by_operation"),
        ),
        migrations.AddConstraint(
            model_name="bulkchange",
            constraint=models.UniqueConstraint(
                fields=("operation", "product"), name="bulk_change_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("active_before", models.F("active_after")),
                    ("price_before", models.F("price_after")),
                    _negated=True,
                ),
                name="bulk_change_not_nothing",
            ),
        ),
    ]
