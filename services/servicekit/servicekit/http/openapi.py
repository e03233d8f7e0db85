"""What the operations of the OpenAPI documents have in common: pages, and errors (RFC 9457)."""

from typing import Any

from drf_spectacular import openapi
from drf_spectacular.plumbing import get_lib_doc_excludes

from servicekit.http.problems import CONTENT_TYPE

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Branch on status and code; quote request_id when you ask for help.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {
            "type": "string",
            "description": "The path; missing where the gateway refuses one that it cannot read.",
        },
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON Pointer (RFC 6901) into the body",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Invalid input",
        "status": 400,
        "detail": "The input is not valid; errors says where.",
        "instance": "/api/orders/",
        "code": "invalid",
        "request_id": "5f1c5c6de6f84d0f9f6b0a3f0c6f4d1e",
        "errors": [
            {
                "pointer": "/lines/0/quantity",
                "code": "min_value",
                "detail": "It must be at least 1.",
            }
        ],
    },
}


class AutoSchema(openapi.AutoSchema):
    """drf-spectacular's, with a page of `ProductRead` named `ProductPage`."""

    def get_paginated_name(self, serializer_name: str) -> str:
        """Return the name of the component."""
        return f"{serializer_name.removesuffix('Read')}Page"

    def _map_serializer(
        self, serializer: Any, direction: Any, bypass_extensions: bool = False
    ) -> dict[str, Any]:
        """Leave `readOnly` out of answers: requests have components of their own."""
        schema: dict[str, Any] = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, bypass_extensions
        )
        if direction == "response":
            for member in schema.get("properties", {}).values():
                member.pop("readOnly", None)
        return schema


def documented_elsewhere() -> list[type]:
    """Return the classes whose docstrings are for developers and not shown to clients.

    They are drf-spectacular's GET_LIB_DOC_EXCLUDES: a class without a docstring of its own is
    described by none of these.
    """
    # Not before: they need the settings that name this function.
    from servicekit.http import serializers, viewsets

    kit = [serializers.RowSerializer, serializers.StrictSerializer, viewsets.StrictInputMixin]
    return [*get_lib_doc_excludes(), *kit]  # type: ignore[no-untyped-call]


def add_problems(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """Give every operation a default answer: a problem. A drf-spectacular postprocessing hook."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault(
                "default", {"description": "A problem", "content": content}
            )
    return result
