"""Where an account's orders may be sent."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from servicekit.models.timestamped import Timestamped
from users.models.accounts import Account

#: Of an account.
MAX_ADDRESSES = 20


class Address(Timestamped):
    """An address of an account; as soon as there are any, one of them is the default."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="addresses")
    is_default = models.BooleanField(default=False)
    name = models.CharField(max_length=200)
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, default="", blank=True)
    postcode = models.CharField(max_length=20, default="", blank=True)
    city = models.CharField(max_length=100)
    region = models.CharField(max_length=100, default="", blank=True)
    #: ISO 3166-1, two letters (servicekit/postal.py).
    country = models.CharField(max_length=2)
    phone = models.CharField(max_length=30, default="", blank=True)

    class Meta:
        db_table = "address"
        constraints = [
            models.UniqueConstraint(
                fields=["account"], name="address_one_default", condition=Q(is_default=True)
            ),
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"), name="address_country_two_letters"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
