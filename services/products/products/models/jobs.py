"""How far jobs have come that are too long for one run."""

from uuid import UUID

from django.db import models


class JobPosition(models.Model):
    """After which product a job goes on; the first has the id of zeros."""

    job = models.CharField(primary_key=True, max_length=50)
    after = models.UUIDField(default=UUID(int=0))

    class Meta:
        db_table = "job_position"

    def __str__(self) -> str:
        return f"{self.job} after {self.after}"
