"""Who may call which operation, by the published documents: asked of every operation, so that a new
one cannot forget its permission.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from uuid_utils.compat import uuid7

from servicekit.testing.openapi import FOLDER, PATH_PARAMETER

METHODS = ("get", "post", "put", "patch", "delete")


class Operation(NamedTuple):
    """An operation at an address with made-up ids, and who may call it."""

    name: str
    method: str
    path: str
    #: Of staff, any of these; empty where no role is needed.
    roles: frozenset[str]
    #: Of machine clients, any of these; empty where none may call.
    scopes: frozenset[str]


def operations(service: str) -> list[Operation]:
    """Return the operations of a service that take a person's token."""
    document = orjson.loads((FOLDER / f"{service}.json").read_bytes())
    return list(_operations(document))


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            security = methods.get(method, {}).get("security", [])
            if any("bearer" in each for each in security):
                yield Operation(
                    methods[method]["operationId"],
                    method.upper(),
                    PATH_PARAMETER.sub(lambda _found: str(uuid7()), path),
                    _named(security, "bearer"),
                    _named(security, "client"),
                )


def _named(security: list[dict[str, list[str]]], scheme: str) -> frozenset[str]:
    return frozenset(name for each in security for name in each.get(scheme, ()))
