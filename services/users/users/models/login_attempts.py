"""Guesses at passwords."""

from django.db import models


class LoginAttempt(models.Model):
    """How often the password of an address was tried lately (services/login_attempts.py).

    `account` is a hash of the address; `source` a network address, or "" for all of them together.
    """

    account = models.BinaryField(max_length=32)
    source = models.CharField(max_length=50, blank=True)
    tries = models.IntegerField()
    not_before = models.DateTimeField()
    last_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "login_attempt"
        constraints = [
            models.UniqueConstraint(fields=["account", "source"], name="login_attempt_once")
        ]
        indexes = [models.Index(fields=["last_at"], name="login_attempt_last_at")]

    def __str__(self) -> str:
        return f"{self.tries} from {self.source or 'everywhere'}"
