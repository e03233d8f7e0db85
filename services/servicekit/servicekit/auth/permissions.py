"""Who may call, by the token's claims alone: people by their role, machine clients by scope.

    class WritesCatalogue(HasRoleOrReadOnly):
        roles = frozenset({"catalogue"})
        scopes = frozenset({"catalogue:write"})

A view that names no scope is closed to machines. What a caller may see of others' things is the
selectors' business: that answers 404.
"""

from collections.abc import Set
from typing import Any, ClassVar

from rest_framework import permissions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from servicekit.auth.authentication import viewer_of
from servicekit.auth.token_rules import STAFF
from servicekit.http.problems import Problem

__all__ = [
    "HasRole",
    "HasRoleOrReadOnly",
    "IsAuthenticated",
    "IsAuthenticatedOrReadOnly",
    "IsPersonOrHasScope",
    "IsStaff",
]
NOTHING: frozenset[str] = frozenset()


class MissingRole(Problem):
    """The caller is known and has none of the roles that would do; `required_roles` names them."""

    status_code = 403
    code = "permission_denied"
    title = "Forbidden"

    def __init__(self, roles: Set[str]) -> None:
        names = sorted(roles)
        super().__init__(
            f"This is for staff with the role {' or '.join(names)}."
            if roles != {STAFF}
            else "This is for staff.",
            members={"required_roles": names},
        )


class InsufficientScope(Problem):
    """A machine client has none of the scopes that would do (RFC 6750, 3.1)."""

    status_code = 403

    def __init__(self, scopes: Set[str]) -> None:
        names = sorted(scopes)
        challenge = 'Bearer realm="souk", error="insufficient_scope"'
        super().__init__(
            f"This needs the scope {' or '.join(names)}."
            if names
            else "This is for people: no scope allows it.",
            members={"required_scopes": names},
            headers={
                "WWW-Authenticate": f'{challenge}, scope="{names[0]}"' if names else challenge
            },
        )


class _ByClaims(permissions.BasePermission):
    """What a view asks of the claims; a subclass states it by its attributes."""

    #: Of staff, any of these will do; an admin has them all.
    roles: ClassVar[frozenset[str]] = NOTHING
    #: Of a machine client, any of these will do.
    scopes: ClassVar[frozenset[str]] = NOTHING
    #: The same for GET, HEAD and OPTIONS, where they need another scope.
    read_scopes: ClassVar[frozenset[str] | None] = None

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the caller may call.

        Raises:
            MissingRole: a person may not.
            InsufficientScope: a machine client may not.
        """
        if self.allows(request):
            return True
        viewer = viewer_of(request)
        if viewer.is_machine:
            raise InsufficientScope(self.scopes_for(request))
        if viewer.is_authenticated:
            raise MissingRole(self.roles_for(request))
        return False

    @classmethod
    def allows(cls, request: Request) -> bool:
        """Whether the caller may call; selectors and filters ask, too."""
        viewer = viewer_of(request)
        if viewer.is_machine:
            return not cls.scopes_for(request).isdisjoint(viewer.scopes)
        return cls.allows_person(request)

    @classmethod
    def allows_person(cls, request: Request) -> bool:
        """Whether a caller who is no machine may call."""
        return viewer_of(request).has_role(cls.roles)

    @classmethod
    def roles_for(cls, request: Request | None) -> frozenset[str]:
        """Return the roles of which a request needs one."""
        return cls.roles

    @classmethod
    def scopes_for(cls, request: Request | None) -> frozenset[str]:
        """Return the scopes of which a machine's request needs one."""
        has_own = _is_read(request) and cls.read_scopes is not None
        return cls.read_scopes or NOTHING if has_own else cls.scopes


class HasRole(_ByClaims):
    """Staff with one of `roles`, machine clients with a scope: 401 for nobody, 403 for others."""


class HasRoleOrReadOnly(_ByClaims):
    """Everybody reads; staff with one of `roles` and machine clients with a scope write."""

    @classmethod
    def allows(cls, request: Request) -> bool:
        """Whether it is a read, or the caller may write."""
        return _is_read(request) or super().allows(request)

    @classmethod
    def roles_for(cls, request: Request | None) -> frozenset[str]:
        """Return the roles of which a write needs one."""
        return NOTHING if _is_read(request) else cls.roles

    @classmethod
    def scopes_for(cls, request: Request | None) -> frozenset[str]:
        """Return the scopes of which a machine's write needs one."""
        return NOTHING if _is_read(request) else cls.scopes


class IsStaff(HasRole):
    """Staff of any role, no machines."""

    roles = frozenset({STAFF})

    @classmethod
    def allows_person(cls, request: Request) -> bool:
        """Whether the token says staff."""
        return viewer_of(request).is_staff


class IsPersonOrHasScope(_ByClaims):
    """Everybody with an account, who sees what is theirs; machine clients with a scope."""

    @classmethod
    def allows_person(cls, request: Request) -> bool:
        """Whether somebody has logged in."""
        return bool(viewer_of(request).is_authenticated)


class IsAuthenticated(IsPersonOrHasScope):
    """Everybody with an account, no machines: what a view asks unless it says otherwise."""


class IsAuthenticatedOrReadOnly(HasRoleOrReadOnly):
    """Everybody reads, whoever has an account writes, no machines."""

    @classmethod
    def allows_person(cls, request: Request) -> bool:
        """Whether somebody has logged in."""
        return bool(viewer_of(request).is_authenticated)


def _is_read(request: Request | None) -> bool:
    return request is not None and request.method in SAFE_METHODS
