from django.db import models


class Heartbeat(models.Model):
    """The last heartbeat of a process; readiness reads it, also from another container."""

    process = models.CharField(max_length=50, primary_key=True)
    beat_at = models.DateTimeField()
    #: What is wrong with something the process needs, and how to repair it; empty if nothing is.
    finding = models.TextField(db_default="", blank=True)

    class Meta:
        db_table = "heartbeat"

    def __str__(self) -> str:
        return self.process
