"""What our views have in common: input is read strictly, and nothing is guessed.

class ProductViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[Product]):
    serializer_class = ProductRead
    filterset_class = ProductFilterSet
    pagination_class = KeysetPagination
    orderings = (Ordering("created_at", datetime, descending=True), Ordering("price", Decimal))
"""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework import FilterSet
from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request
from rest_framework.views import APIView

from servicekit.http.filters import StrictFilterBackend
from servicekit.http.pagination import KeysetPagination, Ordering
from servicekit.http.parameters import check_parameters
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.serializers import NoMembers, StrictSerializer

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    _View = APIView
    _ViewSet = GenericViewSet[Any]
else:
    _View = _ViewSet = object


class PlainMetadata(SimpleMetadata):
    """Answers OPTIONS with what a view is and speaks; its fields are in the OpenAPI document."""

    def determine_actions(self, request: Request, view: APIView) -> dict[str, Any]:
        """Return nothing: DRF would look for the object and make a serializer."""
        return {}


class StrictInputMixin(_View):
    """Refuses query parameters that the view does not read, and bodies that no serializer takes."""

    metadata_class = PlainMetadata
    #: By action (of a plain view: by method) the query parameters that it reads.
    query_parameters: ClassVar[Mapping[str, Set[str]]] = {}
    #: The largest body that is read, in bytes.
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and authorise, as DRF does; then look at the query parameters."""
        super().initial(request, *args, **kwargs)
        if request.META.get("QUERY_STRING"):
            check_parameters(request, self.known_parameters())

    def known_parameters(self) -> Set[str]:
        """Return the query parameters that this request may have."""
        # HEAD asks what GET would answer (RFC 9110, 9.3.2).
        method = "GET" if self.request.method == "HEAD" else self.request.method or ""
        return self.query_parameters.get(method, frozenset())

    def valid(self, serializer_class: type[StrictSerializer], **options: Any) -> dict[str, Any]:
        """Return the body's validated members.

        Raises:
            ValidationError: naming each fault by its JSON pointer.
        """
        serializer = serializer_class(data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        members: dict[str, Any] = serializer.validated_data
        return members

    def refuse_members(self) -> None:
        """Refuse a body with members, where none is read; no body at all and `{}` are fine.

        Raises:
            ValidationError: it has members, or is not an object.
        """
        self.valid(NoMembers)


class StrictAPIView(StrictInputMixin, APIView):
    """A plain view, for what is not a REST resource: the key set, lists between services."""


class StrictViewSetMixin(StrictInputMixin, _ViewSet):
    """A viewset whose lists are filtered by its `filterset_class` and paged by its `orderings`.

    The query parameters of `list_actions` are known from there; `query_parameters` adds to them.
    """

    lookup_value_converter = "id"
    filter_backends = (StrictFilterBackend,)
    pagination_class = KeysetPagination
    filterset_class: ClassVar[type[FilterSet] | None] = None
    #: Of each order that the list offers, the first is the default.
    orderings: ClassVar[tuple[Ordering, ...]] = ()
    list_actions: ClassVar[Set[str]] = frozenset({"list"})

    def known_parameters(self) -> Set[str]:
        """Return the parameters of the action, those of the filters and of the page among them."""
        # For HEAD, DRF names GET's action; a method that is not allowed has none.
        known = self.query_parameters.get(self.action or "", frozenset())
        if self.action in self.list_actions:
            known = known | KeysetPagination.parameters(self)
            if self.filterset_class:
                known = known | self.filterset_class.base_filters.keys()
        return known

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter a list; a single object has no parameters to be filtered by."""
        return super().filter_queryset(queryset) if self.action in self.list_actions else queryset

    def first_rows(self, rows: QuerySet[Any], count: int) -> QuerySet[Any]:
        """Return the first so many of `rows`, which are in the order of the page and begin there.

        A view that knows how to find them with less reading than by following the order does so.
        """
        return rows[:count]
