"""The ring of signing keys."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class SigningKey(models.Model):
    """A key of the ring: at most one is next, one current and one previous."""

    class State(models.TextChoices):
        NEXT = "next"
        CURRENT = "current"
        PREVIOUS = "previous"
        RETIRED = "retired"

    kid = models.CharField(max_length=64, primary_key=True)
    state = models.CharField(max_length=10, choices=State.choices)
    encrypted_pem = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "signing_key"
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                name="signing_key_one_of_each",
                condition=Q(state__in=["next", "current", "previous"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kid} {self.state}"
