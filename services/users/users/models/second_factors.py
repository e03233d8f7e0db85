"""Second factors: authenticator apps (RFC 6238), recovery codes, log-ins that wait for a code."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from users.models.accounts import Account


class TotpDevice(models.Model):
    """The authenticator app of an account; it counts from the first right code on.

    `last_step` is the time step of the last code that was accepted: only later codes pass.
    """

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.CASCADE, related_name="totp_device"
    )
    encrypted_secret = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)

    class Meta:
        db_table = "totp_device"
        indexes = [
            models.Index(
                fields=["created_at"],
                name="totp_device_unconfirmed",
                condition=Q(confirmed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"of {self.account_id}"


class RecoveryCode(models.Model):
    """A code for whoever has lost the app, by its SHA-256: it has 120 random bits."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "recovery_code"
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="recovery_code_once")
        ]

    def __str__(self) -> str:
        return f"of {self.account_id}"


class LogInChallenge(models.Model):
    """A log-in whose password was right and whose code is awaited, by the hash of its token.

    `password_digest` is of the password's hash: a changed password voids the challenge.
    """

    digest = models.BinaryField(max_length=32, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="challenges")
    password_digest = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    tries_left = models.SmallIntegerField()

    class Meta:
        db_table = "log_in_challenge"
        constraints = [
            models.CheckConstraint(
                name="log_in_challenge_tries_left", condition=Q(tries_left__gte=0)
            )
        ]
        indexes = [models.Index(fields=["expires_at"], name="log_in_challenge_by_expiry")]

    def __str__(self) -> str:
        return f"of {self.account_id}"
