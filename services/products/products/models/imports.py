"""Files that are imported, in pieces, and what they have named so far."""

from django.db import models
from django.db.models.functions import Now

from products.models.bulk import BulkOperation


class ImportChunk(models.Model):
    """A piece of a file that is imported: UTF-8, each but the last of the same size.

    No foreign key: a file is received before its operation exists.
    """

    operation_id = models.UUIDField()
    number = models.IntegerField()
    data = models.BinaryField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "import_chunk"
        constraints = [
            models.UniqueConstraint(fields=["operation_id", "number"], name="import_chunk_once")
        ]
        indexes = [models.Index(fields=["received_at"], name="import_chunk_by_age")]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.number}"


class ImportKey(models.Model):
    """A product that a file has named, and what the first valid line said of it."""

    operation = models.ForeignKey(BulkOperation, on_delete=models.CASCADE, related_name="keys")
    key = models.CharField(max_length=110)
    line = models.BigIntegerField()
    digest = models.BinaryField()

    class Meta:
        db_table = "import_key"
        constraints = [models.UniqueConstraint(fields=["operation", "key"], name="import_key_once")]

    def __str__(self) -> str:
        return f"{self.key} in line {self.line}"
