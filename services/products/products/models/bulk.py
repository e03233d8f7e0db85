"""Bulk operations: what staff ask of many products at once, how far it is, and what it changed."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from products.models.catalogue import Product


class BulkOperation(models.Model):
    """A change of many products, done batch by batch by whichever worker takes it up.

    `last_id` and `position` say up to where it was done: the last product, or the byte of the file
    and its line. They are written in the transaction of each batch, so that none is done twice.
    """

    class Kind(models.TextChoices):
        CHANGE_PRICES = "change_prices"
        ACTIVATE = "activate"
        DEACTIVATE = "deactivate"
        UNDO = "undo"
        IMPORT = "import"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    parameters = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    undoes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="undone")
    #: Whoever asked; null for the command line.
    by = models.UUIDField(null=True)
    #: Products or lines; null until they were counted.
    total = models.BigIntegerField(null=True)
    done = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    repeated = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    last_id = models.UUIDField(null=True)
    position = models.BigIntegerField(default=0)
    line = models.BigIntegerField(default=0)
    #: Why it failed as a whole.
    error = models.CharField(max_length=300, default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bulk_operation"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | Q(state__in=["done", "failed", "cancelled"], finished_at__isnull=False),
                name="bulk_operation_finished_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(kind="undo", undoes__isnull=False)
                | (~Q(kind="undo") & Q(undoes__isnull=True)),
                name="bulk_operation_undo_of_something",
            ),
            # What was cancelled or failed half-way may be asked for again.
            models.UniqueConstraint(
                fields=["undoes"],
                name="bulk_operation_undone_once",
                condition=Q(state__in=["queued", "running", "done"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="bulk_operation_unfinished",
                condition=Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["finished_at"], name="bulk_operation_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def is_finished(self) -> bool:
        """Whether it ended, in whichever way."""
        return self.state not in {self.State.QUEUED, self.State.RUNNING}


class BulkChange(models.Model):
    """What an operation made of one product, so that it can be undone.

    A hundred thousand are written at once, so there is no index but that of the constraint: it
    finds those of an operation, and no product's row is ever deleted.
    """

    operation = models.ForeignKey(
        BulkOperation, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    price_before = models.DecimalField(max_digits=12, decimal_places=2)
    price_after = models.DecimalField(max_digits=12, decimal_places=2)
    active_before = models.BooleanField()
    active_after = models.BooleanField()

    class Meta:
        db_table = "bulk_change"
        constraints = [
            models.UniqueConstraint(fields=["operation", "product"], name="bulk_change_once"),
            models.CheckConstraint(
                condition=~Q(price_before=F("price_after"), active_before=F("active_after")),
                name="bulk_change_not_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} by {self.operation_id}"


class BulkError(models.Model):
    """Why one product or one line was left as it was; `line` counts from 1, header included."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operation = models.ForeignKey(BulkOperation, on_delete=models.CASCADE, related_name="errors")
    product_id = models.UUIDField(null=True)
    line = models.BigIntegerField(null=True)
    pointer = models.CharField(max_length=200, default="", blank=True)
    code = models.CharField(max_length=50)
    detail = models.CharField(max_length=300)

    class Meta:
        db_table = "bulk_error"
        indexes = [models.Index(fields=["operation", "id"], name="bulk_error_by_operation")]

    def __str__(self) -> str:
        return f"{self.code} in line {self.line}"
