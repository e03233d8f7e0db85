"""Lists of products: filtered, searched, ordered, counted."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import search, selectors
from products.api import hot_reads, serializers
from products.api.facets.facet_answers import facets_of
from products.api.facets.facet_serializers import FacetsRead
from products.api.filters import BY_RELEVANCE, LIST_COLUMNS, ProductFilterSet
from products.api.headers import IF_NONE_MATCH
from products.api.permissions import EditsCatalogueOrReads, SeesHidden
from products.api.product_details import DETAILS, related_rows
from products.api.wording import LANGUAGE, language_of, product_in, with_highlight
from products.branches import MERGED, first_of_branch
from products.models import Product
from servicekit.collations import BY_LANGUAGE
from servicekit.http.pagination import Ordering
from servicekit.http.shared_reads import shared_read, tagged_read
from servicekit.http.viewsets import StrictViewSetMixin

MAX_RELATED = 12
#: Filters by which one value finds half of the catalogue, and another nothing.
UNEVEN = frozenset(ProductFilterSet.base_filters) - {"language", "slug", "sku"}
BY_TIME = (Ordering("created_at", datetime, descending=True), Ordering("created_at", datetime))
BY_POPULARITY = Ordering("popularity", int, descending=True)


class ProductListMixin(StrictViewSetMixin, ListModelMixin, GenericViewSet[Product]):
    """What ProductViewSet has of lists."""

    permission_classes = [EditsCatalogueOrReads]
    # Made once and cloned for each request: to name a dozen columns costs 0.2 ms of CPU.
    queryset = selectors.list_products().values(*LIST_COLUMNS)
    serializer_class = serializers.ProductFound
    filterset_class = ProductFilterSet
    query_parameters: ClassVar = {
        "retrieve": frozenset({"language"}),
        "facets": frozenset(ProductFilterSet.base_filters),
        "related": frozenset({"language"}),
    }
    list_actions = frozenset({"list", "popular"})
    #: The categories that the rows of the page are merged from; None: the rows have them already.
    branch: list[UUID] | None = None
    # An index for each of them but relevance is in models/catalogue.py.
    orderings = (
        BY_RELEVANCE,
        *BY_TIME,
        BY_POPULARITY,
        Ordering("rating_average", Decimal, descending=True),
        Ordering("price", Decimal),
        Ordering("price", Decimal, descending=True),
        Ordering("name", str, collation=BY_LANGUAGE),
        Ordering("name", str, descending=True, collation=BY_LANGUAGE),
    )

    def get_queryset(self) -> QuerySet[Any]:
        """The rows that the caller may see: staff and clients with a scope of ours also
        inactive products, in lists if they ask."""
        is_list = self.action in ("list", "popular", "facets")
        asks = not is_list or "active" in self.request.query_params
        rows = super().get_queryset() if is_list else DETAILS.all()
        return rows if asks and SeesHidden.allows(self.request) else rows.filter(active=True)

    @extend_schema(
        operation_id="list_products",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.ProductFound(many=True), 304: None},
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The products that are for sale, in pages; staff can ask for the others."""
        is_whole = hot_reads.is_page(request.query_params)
        answer: Response = (self.whole_list if is_whole else self.filtered_list)(request)
        return answer

    @tagged_read
    def whole_list(self, request: Request) -> Response:
        """A page of everything that is for sale."""
        return hot_reads.page_of_products(self) or super().list(request)

    @shared_read(is_the_same_for_customers=True)
    def filtered_list(self, request: Request) -> Response:
        """A page of what the filters leave."""
        if not UNEVEN & request.query_params.keys():
            return super().list(request)
        with search.planned():
            return super().list(request)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter a list; in the order of time by categories only when its page is read."""
        parameters = self.request.query_params
        if not self._is_merged():
            return super().filter_queryset(queryset)
        self.branch = selectors.branch_ids(slug=parameters["category"])
        if len(self.branch) > MERGED:
            self.branch = None
            return super().filter_queryset(queryset)
        others = {name: parameters[name] for name in parameters if name != "category"}
        return ProductFilterSet(others, queryset, request=self.request).qs

    def first_rows(self, rows: QuerySet[Any], count: int) -> QuerySet[Any]:
        """Return the first so many of `rows`, also of a branch that has none among the newest."""
        if self.branch is None:
            return super().first_rows(rows, count)
        newest, _oldest = BY_TIME
        descending = self.request.query_params.get("ordering", newest.name) == newest.name
        return first_of_branch(rows, categories=self.branch, count=count, descending=descending)

    def paginate_queryset(self, queryset: QuerySet[Any] | Sequence[Any]) -> Any:
        """Return the rows of the page, in the language that was asked for."""
        language = language_of(self.request.query_params)
        rows = [product_in(language, row) for row in super().paginate_queryset(queryset) or []]
        return [with_highlight(row) for row in rows] if self._is_search() else rows

    def get_serializer_class(self) -> type[serializers.ProductRead]:
        """Return what makes the bodies of the page: with highlights for a search."""
        return serializers.ProductFound if self._is_search() else serializers.ProductRead

    @extend_schema(operation_id="list_facets", responses=FacetsRead, filters=True)
    @action(detail=False, pagination_class=None)
    @shared_read(is_the_same_for_customers=True)
    def facets(self, request: Request) -> Response:
        """How many of the products that a list with these filters has are of which kind.

        The values of an attribute are counted as if it were not filtered by, so that another can
        be chosen beside it.
        """
        with search.planned():
            return Response(facets_of(request, self.get_queryset()))

    @extend_schema(
        operation_id="list_popular_products",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.ProductFound(many=True), 304: None},
    )
    @action(detail=False, orderings=(BY_POPULARITY,))
    @shared_read(is_the_same_for_customers=True)
    def popular(self, request: Request) -> Response:
        """The products that are for sale, those first that were sold and looked at most lately."""
        with search.planned():
            return super().list(request)

    @extend_schema(
        operation_id="list_related_products",
        parameters=[IF_NONE_MATCH, LANGUAGE],
        responses={200: serializers.RelatedList, 304: None},
    )
    @action(detail=True, pagination_class=None)
    @shared_read(is_the_same_for_customers=True)
    def related(self, request: Request, product_id: UUID) -> Response:
        """What customers who bought it bought as well, and then the newest of its category."""
        language = language_of(request.query_params)
        rows = related_rows(self.get_object(), language, limit=MAX_RELATED)
        return Response({"results": serializers.ProductShort.bodies(rows)})

    def _is_merged(self) -> bool:
        """Whether it is a list of a category with all below it, by time."""
        asked = self.request.query_params
        by_time = asked.get("ordering", BY_TIME[0].name) in {each.name for each in BY_TIME}
        return self.action == "list" and "category" in asked and by_time and not self._is_search()

    def _is_search(self) -> bool:
        return "search" in self.request.query_params
