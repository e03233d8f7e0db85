"""Machine clients: other services and integrations that call the API for nobody."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class ServiceClient(models.Model):
    """A machine client. Its id is its `client_id`, and the subject of its tokens.

    It has two secrets at most, by their hashes: while it is told the new one, the old one still
    works. `session_id` is the `sid` of its tokens: a new one leaves all of them behind.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=50))
    session_id = models.UUIDField(default=uuid7)
    secret_digest = models.BinaryField(max_length=32)
    old_secret_digest = models.BinaryField(max_length=32, null=True)
    old_secret_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.UUIDField()
    last_used_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "service_client"
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                name="service_client_name_once",
                condition=Q(withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(
                name="service_client_has_scopes", condition=Q(scopes__len__gt=0)
            ),
            models.CheckConstraint(
                name="service_client_old_secret_ends",
                condition=Q(old_secret_digest__isnull=True, old_secret_until__isnull=True)
                | Q(old_secret_digest__isnull=False, old_secret_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        """Whether it gets tokens."""
        return self.withdrawn_at is None
