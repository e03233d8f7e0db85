"""What products can be described by, beyond the columns that all have."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from products.models.catalogue import EMPTY_OBJECT


class Attribute(models.Model):
    """A property that products may have: its key in `Product.attributes`, and what is a value."""

    class Type(models.TextChoices):
        TEXT = "text"
        NUMBER = "number"
        BOOLEAN = "boolean"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=50, unique=True)
    type = models.CharField(max_length=10, choices=Type.choices)
    name = models.CharField(max_length=200)
    #: {"de": {"name": …}}
    translations = models.JSONField(default=dict, db_default=EMPTY_OBJECT)
    #: Of numbers, such as "cm"; for show.
    unit = models.CharField(max_length=20, default="", blank=True)

    class Meta:
        db_table = "attribute"
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=["text", "number", "boolean"]), name="attribute_type_known"
            ),
        ]

    def __str__(self) -> str:
        return self.key
