"""Passkeys: public keys whose private halves are in authenticators (W3C WebAuthn, level 3)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from users.models.accounts import Account

MAX_PASSKEYS = 10
MAX_PASSKEY_NAME_LENGTH = 100
#: WebAuthn, 4 (credential id).
MAX_CREDENTIAL_ID_BYTES = 1023
#: Of RSA with 4096 bits it has some 530 bytes.
MAX_PUBLIC_KEY_BYTES = 1024
MAX_TRANSPORT_LENGTH = 20


class Passkey(models.Model):
    """A key of an account. It proves that its owner is there and, by PIN or finger, who it is.

    `sign_count` rises with each use. Authenticators that do not count, such as those that
    synchronise their keys, leave it at 0.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="passkeys")
    credential_id = models.BinaryField(max_length=MAX_CREDENTIAL_ID_BYTES, unique=True)
    #: A COSE key (RFC 9052).
    public_key = models.BinaryField(max_length=MAX_PUBLIC_KEY_BYTES)
    sign_count = models.BigIntegerField()
    #: How browsers may reach the authenticator; a hint for them.
    transports = ArrayField(models.CharField(max_length=MAX_TRANSPORT_LENGTH), default=list)
    name = models.CharField(max_length=MAX_PASSKEY_NAME_LENGTH)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "passkey"
        constraints = [
            models.CheckConstraint(name="passkey_sign_count", condition=Q(sign_count__gte=0))
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.account_id}"


class SpentPasskeyChallenge(models.Model):
    """A challenge that was answered, by its SHA-256: it is not answered again."""

    digest = models.BinaryField(max_length=32, primary_key=True)
    spent_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "spent_passkey_challenge"
        indexes = [models.Index(fields=["spent_at"], name="spent_passkey_challenge_at")]

    def __str__(self) -> str:
        return bytes(self.digest).hex()
