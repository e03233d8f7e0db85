"""When a row was made, and when it was last changed."""

from django.db import models
from django.db.models.functions import Now


class Timestamped(models.Model):
    """A row with both times, by the database's clock; whoever changes it sets `updated_at`."""

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
