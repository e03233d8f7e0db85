"""Who may call which operation, by the published documents: asked of every operation, so that a new
one cannot forget its permission.
"""

from collections.abc import Iterator, Set
from typing import Any, NamedTuple

import orjson
from uuid_utils.compat import uuid7

from servicekit.testing.client import Caller, problem
from servicekit.testing.openapi import FOLDER, PATH_PARAMETER

METHODS = ("get", "post", "put", "patch", "delete")


class Operation(NamedTuple):
    """An operation, and who may call it. `route` is its address as the document has it."""

    name: str
    method: str
    route: str
    #: Of staff, any of these; empty where no role is needed.
    roles: frozenset[str]
    #: Of machine clients, any of these; empty where none may call.
    scopes: frozenset[str]

    @property
    def path(self) -> str:
        """Its address with ids of nothing that is there."""
        return self.path_with()

    def path_with(self, **ids: str) -> str:
        """Return its address with these ids, by the names of its parameters; others are made up."""
        return PATH_PARAMETER.sub(lambda found: ids.get(found[1]) or str(uuid7()), self.route)


def operations(service: str) -> list[Operation]:
    """Return the operations of a service that take a person's token."""
    document = orjson.loads((FOLDER / f"{service}.json").read_bytes())
    return list(_operations(document))


def assert_closed(operation: Operation, *, roles: Set[str], public: Set[str] = frozenset()) -> None:
    """Call it as everybody whom its document does not name: each must be refused, and told why.

    `roles` are those that staff may have, apart from admins; `public` the operations that
    everybody may call.
    """
    if operation.name in public and not operation.scopes:
        answer = Caller().call(operation.method, operation.path)
        assert answer.status_code not in (401, 403), answer.content
    else:
        machine = Caller.machine().call(operation.method, operation.path)
        body = problem(machine, 403, "insufficient_scope")
        assert body["required_scopes"] == sorted(operation.scopes)
        problem(Caller().call(operation.method, operation.path), 401, "not_authenticated")
    if operation.roles:
        wrong = min(roles - operation.roles, default="none")
        for held in (("customer",), ("customer", "staff", wrong), ("customer", wrong)):
            body = problem(
                Caller(*held).call(operation.method, operation.path), 403, "permission_denied"
            )
            assert body["required_roles"] == sorted(operation.roles)


def assert_open(operation: Operation) -> None:
    """Call it as everybody whom its document names: none is refused for who they are.

    What is asked for does not exist, or there is no body, and so nothing is done.
    """
    callers = [Caller("customer", "staff", role) for role in (*operation.roles, "admin")]
    callers += [Caller.machine(scope) for scope in operation.scopes]
    for caller in callers:
        answer = caller.call(operation.method, operation.path)
        assert answer.status_code not in (401, 403), answer.content


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            security = methods.get(method, {}).get("security", [])
            if any("bearer" in each for each in security):
                yield Operation(
                    methods[method]["operationId"],
                    method.upper(),
                    path,
                    _named(security, "bearer"),
                    _named(security, "client"),
                )


def _named(security: list[dict[str, list[str]]], scheme: str) -> frozenset[str]:
    return frozenset(name for each in security for name in each.get(scheme, ()))
