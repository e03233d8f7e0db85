"""Who may do what with accounts."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from users.models import ADMIN


class IsAdmin(BasePermission):
    """Whoever decides about others."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the token says so."""
        return ADMIN in getattr(request.user, "roles", ())
