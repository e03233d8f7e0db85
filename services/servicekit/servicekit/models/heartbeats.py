from django.db import models


class Heartbeat(models.Model):
    """The last sign of life of a process: readiness and ops read it, also from another container."""

    process = models.CharField(max_length=50, primary_key=True)
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "heartbeat"

    def __str__(self) -> str:
        return self.process
