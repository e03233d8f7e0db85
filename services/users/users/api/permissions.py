"""Who may do what with accounts and machine clients."""

from servicekit.auth.permissions import HasRole
from users.roles import ADMIN, SUPPORT, USERS_READ


class ListsAccounts(HasRole):
    """Whoever helps customers."""

    roles = frozenset({SUPPORT})
    scopes = frozenset({USERS_READ})


class IsAdmin(HasRole):
    """Whoever decides about others; no machine does."""

    roles = frozenset({ADMIN})
