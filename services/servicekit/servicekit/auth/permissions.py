"""Who may call, by role.

What a caller may see of others' things is the selectors' business: that answers 404.
"""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request

from servicekit.auth.authentication import is_staff

__all__ = ["IsAuthenticated", "IsStaff", "IsStaffOrReadOnly"]


class IsStaff(BasePermission):
    """Only staff: 401 for nobody, 403 for customers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the token says staff."""
        return is_staff(request)


class IsStaffOrReadOnly(IsStaff):
    """Everybody reads, staff writes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether it is a read, or the token says staff."""
        return request.method in SAFE_METHODS or super().has_permission(request, view)
