from django.db import models


class IdempotencyKey(models.Model):
    """A caller's key for an operation, and the answer that it got.

    The row commits with the effect of the operation.
    """

    caller = models.UUIDField()
    operation = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()  # the exact JSON: a replay has the same bytes
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_key"
        constraints = [
            models.UniqueConstraint(
                fields=["caller", "operation", "key"], name="idempotency_key_once"
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_created_at")]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"
