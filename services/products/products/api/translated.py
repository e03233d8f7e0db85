"""Reads whose names are in the language that a client asks for."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet

from products.api.wording import category_in, language_of
from servicekit.http.viewsets import StrictViewSetMixin


class TranslatedViewSetMixin(StrictViewSetMixin):
    """A viewset of rows with `name` and `translations`, read with `language=`."""

    query_parameters: ClassVar = dict.fromkeys(("list", "retrieve"), frozenset({"language"}))

    def paginate_queryset(self, queryset: QuerySet[Any] | Sequence[Any]) -> list[Any]:
        """Return the rows of the page, in the language that was asked for."""
        language = language_of(self.request.query_params)
        return [category_in(language, row) for row in super().paginate_queryset(queryset) or []]

    def get_object(self) -> Any:
        """Return the row, in the language that was asked for."""
        return category_in(language_of(self.request.query_params), super().get_object())
