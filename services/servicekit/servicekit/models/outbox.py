from typing import Self

from django.db import models


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """Rows of the outbox by their state."""

    def unsent(self) -> Self:
        """Return the rows that the relay is going to send, oldest first."""
        return self.filter(sent_at__isnull=True, parked_at__isnull=True).order_by("position")

    def parked(self) -> Self:
        """Return the rows that wait for an operator's decision, oldest first."""
        return self.filter(parked_at__isnull=False, discarded_at__isnull=True).order_by("position")


class OutboxEvent(models.Model):
    """An event that was decided in a transaction and is to be published.

    A parked row can never be sent as it is; an operator retries or discards it with
    `manage.py outbox`. `position` is handed out before commit, so a row may become visible after a
    higher one: the relay asks for unsent rows and keeps no high-water mark
    (docs/adr/0001-outbox-and-inbox.md).
    """

    position = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True)
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    sequence = models.BigIntegerField()
    data = models.BinaryField()
    traceparent = models.CharField(max_length=200, default="", blank=True)
    causation = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    parked_at = models.DateTimeField(null=True)
    discarded_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "outbox"
        # Partial indexes, because most rows are sent: the relay's look-up stays small.
        indexes = [
            models.Index(
                fields=["position"],
                name="outbox_unsent",
                condition=models.Q(sent_at__isnull=True, parked_at__isnull=True),
            ),
            models.Index(
                fields=["sent_at"], name="outbox_sent_at", condition=models.Q(sent_at__isnull=False)
            ),
            models.Index(
                fields=["discarded_at"],
                name="outbox_parked",
                condition=models.Q(parked_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class OutboxAction(models.Model):
    """Who retried, discarded or republished an event, and why: the audit trail."""

    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="actions")
    action = models.CharField(max_length=20)
    by = models.CharField(max_length=200)
    note = models.TextField(default="", blank=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "outbox_action"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"
