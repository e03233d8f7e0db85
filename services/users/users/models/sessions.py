"""Sessions with their rotating refresh tokens."""

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from users.models.accounts import Account
from users.models.security_events import MAX_DEVICE_LENGTH


class Session(models.Model):
    """A log-in: the family of its refresh tokens. Its id is the `sid` of its access tokens."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, default="", blank=True)
    #: The log-in or the last refresh.
    last_used_at = models.DateTimeField(db_default=Now())
    #: Where the log-in came from: what its client calls itself, and its network.
    device = models.CharField(max_length=MAX_DEVICE_LENGTH, default="", db_default="", blank=True)
    network = models.CharField(max_length=50, default="", db_default="", blank=True)
    #: How its log-in was proved: "pwd", "pwd otp", "pwd pop" or "pop mfa" (RFC 8176).
    amr = models.CharField(max_length=40, default="pwd", db_default="pwd")

    class Meta:
        db_table = "session"
        indexes = [models.Index(fields=["expires_at"], name="session_by_expiry")]

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """A refresh token, by its hash.

    Once spent it keeps the answer that it got, encrypted, for the few seconds of grace.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    issued_at = models.DateTimeField(db_default=Now())
    spent_at = models.DateTimeField(null=True)
    encrypted_answer = models.BinaryField(null=True)

    class Meta:
        db_table = "refresh_token"

    def __str__(self) -> str:
        return f"of {self.session_id}"
