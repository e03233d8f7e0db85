from django.db import models


class OutboxEvent(models.Model):
    """An event that was decided in a transaction and is to be published (docs/adr/0001-outbox-and-inbox.md).

    `position` is handed out before commit, so a row may become visible after a higher one: the relay asks for unsent rows and
    keeps no high-water mark.
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
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "outbox"
        indexes = [
            models.Index(
                fields=["position"],
                name="outbox_unsent",
                condition=models.Q(sent_at__isnull=True, parked_at__isnull=True),
            ),
            models.Index(
                fields=["sent_at"], name="outbox_sent_at", condition=models.Q(sent_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
