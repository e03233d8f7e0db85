"""What the caller asks about their own account."""

from typing import Any

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import IsAuthenticated
from servicekit.http import conditional
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.models import Account


def own_account(request: Request) -> Account:
    """Return the caller's account.

    Raises:
        AuthenticationFailed: it was deleted or deactivated since its token was issued.
    """
    account = selectors.account_for_id(caller_of(request).id)
    if account is None:
        raise AuthenticationFailed("The account is gone.", "invalid_token")
    return account


def versions_to_match(request: Request) -> frozenset[int] | None:
    """Return the versions that If-Match names; None for any."""
    tags = conditional.tags_to_match(request)
    if tags is None:
        return None
    return frozenset(int(tag) for tag in tags if tag.isascii() and tag.isdigit() and len(tag) < 10)


class OwnViewSet(StrictViewSetMixin, GenericViewSet[Any]):
    """Something of the caller's, that no cache keeps: `account` is theirs, and active."""

    permission_classes = (IsAuthenticated,)
    account: Account

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, and look for the account."""
        super().initial(request, *args, **kwargs)
        self.account = own_account(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer; nobody stores it."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer
