"""What staff look for among accounts."""

from typing import Any

from django.db.models import QuerySet

from servicekit.http.filters import FlagFilter, StrictFilterSet, TextFilter
from users.models import MAX_EMAIL_LENGTH, Account


class EmailFilter(TextFilter):
    """By the beginning of an address, in any case: addresses are stored in lower case."""

    def filter(self, qs: QuerySet[Account], value: Any) -> QuerySet[Account]:
        """Return the accounts whose address begins so."""
        return qs.filter(email__startswith=str(value).lower())


class AccountFilterSet(StrictFilterSet):
    """Filters of the list of accounts."""

    email = EmailFilter(max_length=MAX_EMAIL_LENGTH, help_text="What the address begins with.")
    name = TextFilter(lookup_expr="icontains", max_length=200, help_text="Text in the name.")
    active = FlagFilter(field_name="is_active", help_text="All, unless it says otherwise.")
