"""Accounts, signing keys, and sessions with their rotating refresh tokens."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

CUSTOMER, STAFF = "customer", "staff"


class Account(models.Model):
    """Somebody who can log in. `email` is stored in the one form that emails.normalise gives it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.CharField(max_length=254, unique=True)
    name = models.CharField(max_length=200, default="", blank=True)
    password = models.CharField(max_length=200)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    email_verified = models.BooleanField(default=False)
    registered_at = models.DateTimeField(db_default=Now())
    version = models.IntegerField(default=1)

    class Meta:
        db_table = "account"

    def __str__(self) -> str:
        return str(self.id)

    @property
    def roles(self) -> list[str]:
        """The roles that go into the account's tokens."""
        return [CUSTOMER, STAFF] if self.is_staff else [CUSTOMER]


class SigningKey(models.Model):
    """A key of the ring. There is at most one next, one current and one previous (design, section 6)."""

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


class Session(models.Model):
    """A log-in: the family of its refresh tokens. Its id is the `sid` of its access tokens."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, default="", blank=True)

    class Meta:
        db_table = "session"
        indexes = [models.Index(fields=["expires_at"], name="session_by_expiry")]

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """One refresh token, by its hash. Spent, it keeps its successor, encrypted, for the few seconds of grace."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    issued_at = models.DateTimeField(db_default=Now())
    spent_at = models.DateTimeField(null=True)
    encrypted_answer = models.BinaryField(null=True)

    class Meta:
        db_table = "refresh_token"

    def __str__(self) -> str:
        return f"of {self.session_id}"


class LoginAttempt(models.Model):
    """How often a password was tried lately: for an address (by its hash) and a source, or all sources together (""). See services/login_attempts.py."""

    account = models.BinaryField(max_length=32)
    source = models.CharField(max_length=50, blank=True)
    tries = models.IntegerField()
    not_before = models.DateTimeField()
    last_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "login_attempt"
        constraints = [models.UniqueConstraint(fields=["account", "source"], name="login_attempt_once")]
        indexes = [models.Index(fields=["last_at"], name="login_attempt_last_at")]

    def __str__(self) -> str:
        return f"{self.tries} from {self.source or 'everywhere'}"
