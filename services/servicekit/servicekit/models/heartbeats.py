from django.db import models


class Heartbeat(models.Model):
    """The last sign of life of a process: readiness and ops read it, also from another container."""

    process = models.CharField(max_length=50, primary_key=True)
    beat_at = models.DateTimeField()
    #: What the process found wrong with what it needs, and what mends it.
    finding = models.TextField(db_default="", blank=True)

    class Meta:
        db_table = "heartbeat"

    def __str__(self) -> str:
        return self.process
