"""Accounts: AUTH_USER_MODEL."""

import re
import unicodedata

import idna
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from users.roles import CUSTOMER, STAFF, STAFF_ROLES

MAX_EMAIL_LENGTH = 254
# The last label as Django has it, whose validator decides what a mail can be written to.
EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z][a-z-]{0,61}[a-z]|xn--[a-z0-9]{1,59})"
)


class Language(models.TextChoices):
    """What an account is written to in."""

    ENGLISH = "en"
    GERMAN = "de"


class InvalidEmail(ValidationError):
    """The text is not an address that mail can be sent to."""

    def __init__(self) -> None:
        super().__init__(
            "Use an address like name@example.org, whose part before the @ is ASCII.",
            code="invalid_email",
        )


def _domain_in_ascii(domain: str) -> str:
    """Return a domain as DNS has it.

    Raises:
        InvalidEmail: no such domain can be registered.
    """
    lowered = domain.lower()
    if domain.isascii() and "xn--" not in lowered:
        return lowered
    # Full-width letters, the Kelvin sign and their like: NFC would make some of them ASCII.
    if any(unicodedata.normalize("NFKC", letter) != letter for letter in domain):
        raise InvalidEmail
    try:
        return idna.encode(unicodedata.normalize("NFC", lowered), strict=True).decode()
    except UnicodeError as error:
        raise InvalidEmail from error


class AccountManager(BaseUserManager["Account"]):
    """Accounts by their address, and Django's way to create them."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the single spelling under which an address is stored, looked up and written to.

        Surrounding blanks are typing errors and are dropped. The domain is spelled as DNS has it
        (IDNA 2008, RFC 5891): in lower case, and in ASCII. The local part is lowered too, since no
        provider of note tells case apart; dots and plus parts are kept: what they mean is up to the
        mailbox's provider (docs/adr/0099-registration-tells-nobody-who-has-an-account.md).

        Raises:
            InvalidEmail: it is too long or not of the form local@domain, its local part is not
                ASCII, or its domain could not be registered.
        """
        local, _, domain = (email or "").strip().rpartition("@")
        # Unicode case folding maps different addresses onto one (CVE-2019-19844): ASCII only.
        address = f"{local.lower()}@{_domain_in_ascii(domain)}" if local.isascii() else ""
        has_stray_dot = ".." in local or local.startswith(".") or local.endswith(".")
        if len(address) > MAX_EMAIL_LENGTH or has_stray_dot or not EMAIL.fullmatch(address):
            raise InvalidEmail
        return address

    def get_by_natural_key(self, username: str | None) -> "Account":
        """Return the account with this address, however it is spelled.

        Raises:
            Account.DoesNotExist: there is none, or the text is not an address.
        """
        try:
            return self.get(email=self.normalize_email(username))
        except InvalidEmail:
            raise self.model.DoesNotExist from None

    def create_user(self, email: str, password: str | None = None, name: str = "") -> "Account":
        """Register an account as the API does; without a password it cannot log in.

        Raises:
            InvalidEmail: the address is not usable.
            EmailTaken: the address has an account.
        """
        from users.services import accounts  # it imports this module

        return accounts.register(email=email, password=password, name=name)

    def create_superuser(self, email: str, password: str | None = None) -> "Account":
        """Register an account with every permission of Django and the staff role.

        Raises:
            InvalidEmail: the address is not usable.
            EmailTaken: the address has an account.
        """
        from users.services import accounts  # it imports this module

        return accounts.register_superuser(email=email, password=password)


def validate_email(email: str) -> None:
    """Refuse what `normalize_email` refuses (a validator of forms, fields and serializers)."""
    AccountManager.normalize_email(email)


class Account(AbstractBaseUser, PermissionsMixin):
    """A person who can log in. `email` is stored as AccountManager.normalize_email spells it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.CharField(max_length=MAX_EMAIL_LENGTH, unique=True, validators=[validate_email])
    name = models.CharField(max_length=200, default="", blank=True)
    # Longer than Django's 128: the column was made so, and narrowing it could cut a hash.
    password = models.CharField(max_length=200)
    is_staff = models.BooleanField(default=False)
    # A default of the database too: while an upgrade migrates, the release before still registers.
    is_superuser = models.BooleanField(default=False, db_default=False)
    is_active = models.BooleanField(default=True)
    email_verified = models.BooleanField(default=False)
    registered_at = models.DateTimeField(db_default=Now())
    language = models.CharField(
        max_length=2, choices=Language.choices, default=Language.ENGLISH, db_default="en"
    )
    marketing_consent = models.BooleanField(default=False, db_default=False)
    #: When consent was last given or withdrawn; null if it never was.
    marketing_consent_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)
    # Each log-in makes a row in `session`: another write to the account's row would tell no more.
    last_login = None

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects = AccountManager()

    class Meta:
        db_table = "account"
        constraints = [
            # Whatever writes it: `unique` compares this spelling only.
            models.CheckConstraint(
                name="account_email_spelled_in_ascii", condition=Q(email__regex=r"^[!-@\[-~]+$")
            ),
            # Tokens know the staff role only; taking it back must leave no superuser behind.
            models.CheckConstraint(
                name="account_superuser_is_staff",
                condition=Q(is_superuser=False) | Q(is_staff=True),
            ),
            models.CheckConstraint(
                name="account_language_known", condition=Q(language__in=Language.values)
            ),
            models.CheckConstraint(
                name="account_consent_has_a_time",
                condition=Q(marketing_consent=False) | Q(marketing_consent_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def roles(self) -> list[str]:
        """The roles that go into the account's tokens: staff have one of STAFF_ROLES at least."""
        groups = self.groups.all() if self.is_staff else ()
        held = sorted({group.name for group in groups}.intersection(STAFF_ROLES))
        return [CUSTOMER, STAFF, *held] if held else [CUSTOMER]

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether this is the password; renew a hash that an older hasher made.

        The new hash replaces only the hash that was checked: Django's own setter writes whatever
        is there by then, and would bring back a password that was changed meanwhile.
        """

        def renew(password: str | None) -> None:
            renewed = make_password(password)
            checked = type(self).objects.filter(pk=self.pk, password=self.password)
            if checked.update(password=renewed):
                self.password = renewed

        return check_password(raw_password, self.password, renew)

    async def acheck_password(self, raw_password: str | None) -> bool:
        """Return whether this is the password, as check_password does."""
        return await sync_to_async(self.check_password)(raw_password)
