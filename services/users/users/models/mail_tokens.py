"""What mails prove: tokens that were mailed, and requests for them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from users.models.accounts import MAX_EMAIL_LENGTH, Account


class MailToken(models.Model):
    """A token in a mail, by its hash: who has it reads the mails to `email`.

    It is good for one purpose and once: whoever spends it deletes its row. `session_id` is the
    session that asked, which may go on when the others end.
    """

    class Purpose(models.TextChoices):
        EMAIL_VERIFICATION = "email_verification"
        PASSWORD_RESET = "password_reset"  # noqa: S105 - a name, no secret
        EMAIL_CHANGE = "email_change"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="mail_tokens")
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    digest = models.BinaryField(max_length=32, unique=True)
    email = models.CharField(max_length=MAX_EMAIL_LENGTH)
    session_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mail_token"

    def __str__(self) -> str:
        return f"{self.purpose} of {self.account_id}"


class MailRequest(models.Model):
    """Somebody asked for a mail to an address; a job answers it (services/mail_requests.py).

    So the request itself does the same work whether or not the address has an account.
    """

    class Purpose(models.TextChoices):
        PASSWORD_RESET = "password_reset"  # noqa: S105 - a name, no secret
        EMAIL_CHANGE = "email_change"

    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    email = models.CharField(max_length=MAX_EMAIL_LENGTH)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    session_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        db_table = "mail_request"
        constraints = [
            models.CheckConstraint(
                name="mail_request_of_an_account",
                condition=Q(account__isnull=True, purpose="password_reset")
                | Q(account__isnull=False, purpose="email_change"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"
