"""Who may do what with orders: their customer, roles of staff, scopes of machine clients."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from orders.roles import CANCELS_ORDERS, FULFILMENT, FULFILS_ORDERS, READS_ORDERS, SUPPORT
from servicekit.auth.authentication import viewer_of
from servicekit.auth.permissions import HasRole, InsufficientScope, IsPersonOrHasScope


class ReadsEveryOrder(HasRole):
    """Whoever helps customers, and whoever packs."""

    roles = frozenset({FULFILMENT, SUPPORT})
    scopes = frozenset({READS_ORDERS})


class CancelsEveryOrder(HasRole):
    """Whoever helps customers."""

    roles = frozenset({SUPPORT})
    scopes = frozenset({CANCELS_ORDERS})


class HasCart(BasePermission):
    """Everybody, logged in or not; a machine client has nothing to buy, and reads an empty cart."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether a person calls, or somebody who reads.

        Raises:
            InsufficientScope: a machine client would fill a cart.
        """
        if viewer_of(request).is_machine and request.method not in SAFE_METHODS:
            raise InsufficientScope(frozenset())
        return True


class PlacesOrReadsOrders(IsPersonOrHasScope):
    """Customers, for themselves; machine clients read only."""

    read_scopes = frozenset({READS_ORDERS})


class CancelsOrders(IsPersonOrHasScope):
    """Customers, their own; of staff and machines, see CancelsEveryOrder."""

    scopes = frozenset({CANCELS_ORDERS})


class FulfilsOrders(HasRole):
    """Whoever packs, and takes back what comes back."""

    roles = frozenset({FULFILMENT})
    scopes = frozenset({FULFILS_ORDERS})
