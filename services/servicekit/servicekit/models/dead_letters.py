from django.db import models


class DeadLetter(models.Model):
    """A message that could not be handled: whole, with the reason.

    docs/adr/0003-dead-letters-in-a-table.md says why it is not in a queue.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        REDRIVEN = "redriven"
        DISCARDED = "discarded"

    queue = models.CharField(max_length=100)
    event_id = models.UUIDField(null=True)
    type = models.CharField(max_length=200, default="", blank=True)
    reason = models.CharField(max_length=50)
    detail = models.TextField(default="", blank=True)
    headers = models.JSONField(default=dict)
    content_type = models.CharField(max_length=200, default="", blank=True)
    body = models.BinaryField()
    fingerprint = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "dead_letter"
        ordering = ["id"]
        constraints = [
            # The same message, delivered again before it was acknowledged, is a single dead letter;
            # after a redrive it may become a new letter.
            models.UniqueConstraint(
                fields=["queue", "fingerprint"],
                name="dead_letter_once_waiting",
                condition=models.Q(state="waiting"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.reason} {self.event_id}"


class DeadLetterAction(models.Model):
    """Who redrove or discarded a dead letter, and why: the audit trail."""

    letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="actions")
    action = models.CharField(max_length=20)
    by = models.CharField(max_length=200)
    note = models.TextField(default="", blank=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "dead_letter_action"
        ordering = ["id"]
        indexes = [models.Index(fields=["at"], name="dead_letter_action_at")]

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"
