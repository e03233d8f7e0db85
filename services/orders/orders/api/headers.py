"""What the OpenAPI document says of headers, parameters and refusals of orders."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from orders.api.serializers import OutOfStockRead
from servicekit.http.problems import CONTENT_TYPE as PROBLEM


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, location=OpenApiParameter.HEADER, description=description
    )


PREFER = _header(
    "Prefer", "`wait=N` answers with the outcome, after at most N (≤ 10) seconds (RFC 7240)."
)
WAIT = OpenApiParameter(
    "wait",
    OpenApiTypes.INT,
    description="Answer when a pending order is decided, after at most so many (≤ 10) seconds.",
)
IF_NONE_MATCH = _header("If-None-Match", "The ETag of what you have: 304 while it is so.")
IF_MATCH = _header("If-Match", "The ETag of what you have: 412 if it has changed since.")
KEY = _header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters; the same key again gets the first answer for 7 days.",
)
PAGE_SIZE = OpenApiParameter(
    "page_size",
    OpenApiTypes.INT,
    description="1 to 100; a page of long orders holds fewer, and `next` goes on.",
)
REFUSALS = {(409, PROBLEM): OutOfStockRead}
