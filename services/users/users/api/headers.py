"""Headers of answers about a person, and of requests for the OpenAPI document."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

NO_STORE = {"Cache-Control": "no-store"}
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description='The ETag of what you read, such as "3"; a list, or *.',
)
