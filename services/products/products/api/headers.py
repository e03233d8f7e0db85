"""Headers that requests about products may have, for the OpenAPI document."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description
    )


IF_MATCH = _header(
    "If-Match",
    'The ETag of what you read, such as "3-25", or its version alone, "3"; a list, or *.',
)
IF_NONE_MATCH = _header("If-None-Match", "The ETag of what you have: 304 while it is so.")
KEY = _header("Idempotency-Key", "Repeat safely with the same key.")
