"""The fast lane of the two hot reads: a page of the products that are for sale, and a product.

The plain code makes each body once; it is kept in the process under the versions of the rows that
it was made of, for which one statement asks each time. So nothing is kept too long, and nothing has
to be told to forget (docs/adr/0088-hot-reads-are-kept-by-row-version.md).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models.expressions import RawSQL
from rest_framework.response import Response

from products import selectors, versions
from products.api import serializers
from products.api.filters import LIST_COLUMNS
from products.api.product_details import RELATED_IN_DETAIL, REVIEWS_IN_DETAIL, detail, tag
from products.api.wording import TRANSLATED, language_of, product_in
from products.versions import Row
from servicekit.http.pagination import KeysetPagination
from servicekit.http.parsers import OrjsonRenderer
from servicekit.operations.kept import Kept

#: With other parameters a list is read by its filters.
PAGE_PARAMETERS = frozenset({"cursor", "page_size", "ordering", "language"})
#: Of the rows of lists, and of products by themselves, in each web process.
rows_kept, products_kept = Kept(max_bytes=8 * 1024**2), Kept(max_bytes=8 * 1024**2)
LIMITS = {
    "reviews": REVIEWS_IN_DETAIL,
    "bought": selectors.MOST_RELATED,
    "newest": 2 * RELATED_IN_DETAIL,
}
COLUMNS = tuple(dict.fromkeys([*LIST_COLUMNS, *TRANSLATED]))
# Made once, as a view's `queryset` is.
ROWS = (
    selectors.list_products()
    .filter(active=True)
    .annotate(row_version=RawSQL(versions.ROW, []))  # noqa: S611 # nosec B611 - our own words
    .values(*COLUMNS, "row_version")
)


def is_page(parameters: Any) -> bool:
    """Whether a list with these query parameters is one of all products for sale."""
    return bool(parameters.keys() <= PAGE_PARAMETERS)


def page_of_products(view: Any) -> Response | None:
    """Return a page of the products for sale; None if a row has changed meanwhile.

    Raises:
        InvalidInput: there is no such language, ordering, size or cursor.
    """
    language = language_of(view.request.query_params)
    pages: KeysetPagination = view.paginator
    pages.begin(view.request, view)
    found = versions.list_versions(ordering=pages.ordering, after=pages.after, count=pages.size + 1)
    rows = found[: pages.size]
    bodies = _bodies(rows, language)
    if bodies is None:
        return None
    link = _link(pages, rows[-1]) if len(found) > len(rows) else None
    return Response({"results": bodies, "next": link})


def product(view: Any, product_id: UUID) -> Response:
    """Return a product, from what is kept if it is for sale.

    Raises:
        Http404: there is none for the caller.
    """
    language = language_of(view.request.query_params)
    version = versions.product_version(product_id=product_id, **LIMITS)
    if version is None:  # or not for sale: the view knows who may see it
        return _made(view, language)
    key = f"{language} {version}"
    kept = products_kept.get([key]).get(key)
    if kept is None:
        return _made(view, language, key)
    head, _, body = kept.partition(b"\n")
    return _answer(head, body)


def _made(view: Any, language: str, key: str = "") -> Response:
    """Make a product's body and keep it under the key.

    What changed after the versions were read may be in it already: it is never older than they are,
    and nobody reads these versions again.
    """
    row = view.get_object()
    made = detail(row, language)
    head, body = tag(made).encode(), OrjsonRenderer().render(made)
    if key and row["active"]:
        products_kept.put({key: head + b"\n" + body})
    return _answer(head, body)


def _answer(head: bytes, body: bytes) -> Response:
    return Response(orjson.Fragment(body), headers={"ETag": head.decode()})


def _bodies(rows: Sequence[Row], language: str) -> list[orjson.Fragment] | None:
    keys = [f"{language} {row.version}" for row in rows]
    found = rows_kept.get(keys)
    missing = [row for row, key in zip(rows, keys, strict=True) if key not in found]
    if missing:
        made = _bodies_by_key(missing, language)
        rows_kept.put(made)
        found |= made
    return [orjson.Fragment(found[key]) for key in keys] if found.keys() >= set(keys) else None


def _bodies_by_key(rows: Sequence[Row], language: str) -> dict[str, bytes]:
    return {
        f"{language} {row['row_version']}": OrjsonRenderer().render(
            serializers.ProductRead.body(product_in(language, row))
        )
        for row in ROWS.filter(pk__in=[row.id for row in rows])
    }


def _link(pages: KeysetPagination, last: Row) -> str:
    is_time = pages.ordering.kind is datetime
    return pages.link_behind(datetime.fromisoformat(last.place) if is_time else last.place, last.id)
