from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Mail(models.Model):
    """A mail to send, or that was sent (servicekit/mails/).

    `cause` names what the mail tells of: no cause has two mails. From the claim on, a row holds
    neither a person's address nor a secret: `recipient` and `context` are emptied by it.
    A row that was claimed and has no `sent_at` long after was refused for good, or lost in a crash.
    """

    cause = models.CharField(max_length=200)
    # Where its templates are: users/mails/password_reset
    kind = models.CharField(max_length=100)
    language = models.CharField(max_length=20)
    recipient = models.CharField(max_length=254, blank=True)
    context = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    tries = models.IntegerField(db_default=0)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mail"
        constraints = [models.UniqueConstraint(fields=["cause"], name="mail_once")]
        indexes = [
            # Partial, because most rows are sent: the look-ups of the job stay small.
            models.Index(fields=["due_at"], name="mail_due", condition=Q(claimed_at__isnull=True)),
            models.Index(
                fields=["expires_at"], name="mail_unsent", condition=Q(claimed_at__isnull=True)
            ),
            models.Index(
                fields=["claimed_at"], name="mail_claimed", condition=Q(claimed_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
