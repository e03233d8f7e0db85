from django.db import models


class InboxEvent(models.Model):
    """An event whose effect is committed: a row per queue and event id.

    It is written in the transaction of the effect.
    """

    queue = models.CharField(max_length=100)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    payload_hash = models.BinaryField(max_length=32)
    handled_at = models.DateTimeField()

    class Meta:
        db_table = "inbox"
        constraints = [models.UniqueConstraint(fields=["queue", "event_id"], name="inbox_once")]
        indexes = [models.Index(fields=["handled_at"], name="inbox_handled_at")]

    def __str__(self) -> str:
        return f"{self.queue} {self.event_id}"
