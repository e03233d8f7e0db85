"""The body of a single product, and the tag that it is known by."""

import re
import zlib
from typing import Any

import orjson
from rest_framework.request import Request

from products import selectors
from products.api import serializers
from products.api.wording import TRANSLATED, category_in, product_in
from products.models import BASE_LANGUAGE
from servicekit.http import conditional

RELATED_IN_DETAIL, REVIEWS_IN_DETAIL = 4, 3
# Made once, as a view's `queryset` is.
DETAILS = selectors.list_products().values(
    *dict.fromkeys([*serializers.ProductDetail.columns(), *TRANSLATED])
)
#: Members that change while version and stock stay as they are.
WITHOUT_A_VERSION = (
    "category_path",
    "rating_average",
    "rating_count",
    "images",
    "latest_reviews",
    "related",
)
# A version, and with it the stock and a checksum, as GET sends them.
TAG = re.compile(r"([0-9]{1,10})(?:-[0-9]{1,19}(?:-[0-9a-f]{8})?)?")


def detail(row: dict[str, Any], language: str = BASE_LANGUAGE) -> dict[str, Any]:
    """Return the body of a product, a row of DETAILS."""
    path = selectors.category_path(category_id=row["category__id"])
    path = [category_in(language, category) for category in path]
    # What shows no image in lists has none.
    images = selectors.list_images(product_id=row["id"]) if row["image"] else []
    members = {
        "category_path": path,
        "images": images,
        "latest_reviews": _latest_reviews(row),
        "related": related_rows(row, language, limit=RELATED_IN_DETAIL),
    }
    return serializers.ProductDetail.body({**product_in(language, row), **members})


def related_rows(row: dict[str, Any], language: str, *, limit: int) -> list[dict[str, Any]]:
    """Return the rows of products that go with the product of `row`."""
    columns = (*serializers.ProductShort.columns(), *TRANSLATED)
    found = selectors.list_related(
        product_id=row["id"], category_id=row["category__id"], columns=columns, limit=limit
    )
    return [product_in(language, each) for each in found]


def _latest_reviews(row: dict[str, Any]) -> list[dict[str, Any]]:
    if not row["rating_count"]:
        return []
    shown = selectors.list_reviews(viewer_id=None, is_staff=False).filter(product_id=row["id"])
    return list(shown.order_by("-id").values(*serializers.ReviewRead.columns())[:REVIEWS_IN_DETAIL])


def tag(body: dict[str, Any]) -> str:
    """Version and stock, and a checksum of what changes without either."""
    rest = [body[name] for name in WITHOUT_A_VERSION]
    return f'"{body["version"]}-{body["stock"]}-{zlib.crc32(orjson.dumps(rest)):08x}"'


def versions_to_match(request: Request) -> frozenset[int] | None:
    """Return the versions that If-Match names, whatever the stock.

    An edit is of the catalogue's fields, and purchases change the stock meanwhile.

    A weak tag counts for its version, too. RFC 9110 (13.1.1) asks for equal bytes, but ours become
    weak only in the gateway, where nginx compresses; a client that sends back what it got could
    never edit a long product (docs/adr/0058-a-weak-tag-may-be-edited.md).
    """
    tags = conditional.tags_to_match(request)
    if tags is None:
        return None
    found = (TAG.fullmatch(tag) for tag in tags)
    return frozenset(int(match[1]) for match in found if match)
