"""Registrations that wait for their token."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from users.models.accounts import MAX_EMAIL_LENGTH, Language


class Registration(models.Model):
    """Somebody asked for an account; whoever reads the mails to `email` may open it.

    An address may have several, each with a password and a token of its own; the first that is
    confirmed makes the account. `digest` is the token's hash, null until a job has written the mail
    (services/registration.py).
    """

    email = models.CharField(max_length=MAX_EMAIL_LENGTH, db_index=True)
    name = models.CharField(max_length=200, blank=True)
    #: As the account will have them.
    language = models.CharField(max_length=2, choices=Language.choices, default=Language.ENGLISH)
    password = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32, unique=True, null=True)
    #: At the password, by whoever has the token.
    tries_left = models.SmallIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "registration"
        constraints = [
            models.CheckConstraint(name="registration_tries_left", condition=Q(tries_left__gte=0))
        ]
        indexes = [
            models.Index(
                fields=["id"], name="registration_unanswered", condition=Q(digest__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)
