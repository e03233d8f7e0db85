"""The account of whoever calls."""

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from servicekit.auth.authentication import caller_of
from users import selectors
from users.models import Account


def own_account(request: Request) -> Account:
    """Return the caller's own account.

    Raises:
        AuthenticationFailed: it was deleted or deactivated since its token was issued.
    """
    account = selectors.account_for_id(caller_of(request).id)
    if account is None:
        raise AuthenticationFailed("The account is gone.", "invalid_token")
    return account
