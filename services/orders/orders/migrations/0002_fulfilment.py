import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import orders.models.orders

LINE, ORDER, HISTORY = "orderline", "order", "orderhistory"


def text(length, **options):
    return models.CharField(
        blank=True, db_default="", default="", max_length=length, **options
    )


def count():
    return models.IntegerField(db_default=0, default=0)


def moment():
    return models.DateTimeField(db_default=django.db.models.functions.datetime.Now())


def number():
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def made_id():
    return models.UUIDField(
        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
    )


def belongs_to(model, related_name, **options):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to=f"orders.{model}",
        **options,
    )


class Migration(migrations.Migration):
    """Serials, snapshots, who did what, shipments and returns.

    Columns with a constant default rewrite no table, and the code of before goes on inserting
    meanwhile. Serials of existing orders, and what needs to look at rows, come in the next one.
    """

    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    """
                    CREATE SEQUENCE order_serial START 100001;
                    ALTER TABLE orders ADD COLUMN serial bigint;
                    ALTER TABLE orders ALTER COLUMN serial SET DEFAULT nextval('order_serial');
                    """,
                    """
                    ALTER TABLE orders DROP COLUMN serial;
                    DROP SEQUENCE order_serial;
                    """,
                )
            ],
            [
                migrations.AddField(
                    ORDER,
                    "serial",
                    models.BigIntegerField(
                        db_default=orders.models.orders.NextSerial(), editable=False
                    ),
                )
            ],
        ),
        migrations.AddField(ORDER, "shipment_count", count()),
        migrations.AddField(LINE, "slug", text(100)),
        migrations.AddField(LINE, "sku", text(64)),
        migrations.AddField(LINE, "shipped", count()),
        migrations.AddField(LINE, "returned", count()),
        migrations.AddField("catalogueproduct", "sku", text(64)),
        migrations.RemoveConstraint(HISTORY, "order_history_moves"),
        migrations.AddField(
            HISTORY,
            "actor",
            text(
                10,
                choices=[
                    ("customer", "Customer"),
                    ("staff", "Staff"),
                    ("client", "Client"),
                    ("stock", "Stock"),
                    ("time", "Time"),
                ],
            ),
        ),
        migrations.AddField(HISTORY, "actor_id", models.UUIDField(null=True)),
        migrations.CreateModel(
            "OrderDetails",
            [
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="details",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                ("shipping_address", models.JSONField(null=True)),
                ("billing_address", models.JSONField(null=True)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
            ],
            {"db_table": "order_details"},
        ),
        migrations.CreateModel(
            "ForgottenCustomer",
            [
                ("user_id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", moment()),
            ],
            {"db_table": "forgotten_customer"},
        ),
        migrations.CreateModel(
            "Shipment",
            [
                ("id", made_id()),
                ("order", belongs_to(ORDER, "shipments")),
                ("carrier", models.CharField(blank=True, default="", max_length=100)),
                ("tracking_number", models.CharField(blank=True, default="", max_length=100)),
                ("shipped_at", moment()),
                ("shipped_by", models.UUIDField()),
            ],
            {"db_table": "shipment"},
        ),
        migrations.CreateModel(
            "ShipmentLine",
            [
                ("id", number()),
                ("shipment", belongs_to("shipment", "lines")),
                ("line", belongs_to(LINE, "+", db_index=False)),
                ("quantity", models.IntegerField()),
            ],
            {
                "db_table": "shipment_line",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["shipment", "line"], name="shipment_line_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(quantity__gt=0), name="shipment_line_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            "OrderReturn",
            [
                ("id", made_id()),
                ("order", belongs_to(ORDER, "returns")),
                ("returned_at", moment()),
                ("received_by", models.UUIDField()),
            ],
            {"db_table": "order_return"},
        ),
        migrations.CreateModel(
            "OrderReturnLine",
            [
                ("id", number()),
                ("order_return", belongs_to("orderreturn", "lines")),
                ("line", belongs_to(LINE, "+", db_index=False)),
                ("quantity", models.IntegerField()),
            ],
            {
                "db_table": "order_return_line",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["order_return", "line"], name="order_return_line_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(quantity__gt=0), name="order_return_line_positive"
                    ),
                ],
            },
        ),
        AddConstraintNotValid(
            LINE,
            models.CheckConstraint(
                condition=models.Q(
                    returned__gte=0,
                    returned__lte=models.F("shipped"),
                    shipped__lte=models.F("quantity"),
                ),
                name="order_line_units_in_turn",
            ),
        ),
    ]
