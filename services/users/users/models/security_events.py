"""The security log of accounts."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

MAX_DEVICE_LENGTH = 200


class SecurityEvent(models.Model):
    """Something that an account's owner should know of, kept for 180 days.

    Failed log-ins are counted, in a row for each account, network and hour; those at addresses
    without an account have no `account_id`. The log outlives the account: then `account_id` is a
    number that leads to nobody, and network and device are empty.
    """

    class Kind(models.TextChoices):
        CREATED = "created"
        LOGIN_FAILED = "login_failed"
        NEW_DEVICE = "new_device"
        PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of event
        PASSWORD_RESET = "password_reset"  # noqa: S105
        EMAIL_CHANGED = "email_changed"
        ROLES_CHANGED = "roles_changed"
        REFRESH_REPLAYED = "refresh_replayed"
        SESSIONS_REVOKED = "sessions_revoked"
        SECOND_FACTOR_ON = "second_factor_on"
        SECOND_FACTOR_OFF = "second_factor_off"
        RECOVERY_CODES_NEW = "recovery_codes_new"
        PASSKEY_ADDED = "passkey_added"
        PASSKEY_REMOVED = "passkey_removed"
        #: Its counter did not rise: somebody may have copied it.
        PASSKEY_REFUSED = "passkey_refused"
        DEACTIVATED = "deactivated"
        REACTIVATED = "reactivated"
        DELETED = "deleted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField(db_default=Now())
    #: The network that it came from, such as 192.0.2.0/24; empty where no request did it.
    network = models.CharField(max_length=50, default="", blank=True)
    device = models.CharField(max_length=MAX_DEVICE_LENGTH, default="", blank=True)
    #: Whoever of the staff did it, if the owner did not.
    by = models.UUIDField(null=True)
    count = models.IntegerField(default=1)
    #: The hour whose failed log-ins the row counts.
    hour = models.DateTimeField(null=True)

    class Meta:
        db_table = "security_event"
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "network", "hour"],
                name="security_event_counted_once",
                condition=Q(hour__isnull=False),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(kind="login_failed", hour__isnull=False)
                | (~Q(kind="login_failed") & Q(hour__isnull=True)),
                name="security_event_failures_are_counted",
            ),
        ]
        indexes = [
            models.Index(fields=["account_id", "-id"], name="security_event_by_account"),
            models.Index(fields=["at"], name="security_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account_id or 'nobody'}"
