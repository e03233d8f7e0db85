"""Who may do what with orders: their customer, roles of staff, scopes of machine clients."""

from orders.roles import CANCELS_ORDERS, FULFILMENT, FULFILS_ORDERS, READS_ORDERS, SUPPORT
from servicekit.auth.permissions import HasRole, IsPersonOrHasScope


class ReadsEveryOrder(HasRole):
    """Whoever helps customers, and whoever packs."""

    roles = frozenset({FULFILMENT, SUPPORT})
    scopes = frozenset({READS_ORDERS})


class CancelsEveryOrder(HasRole):
    """Whoever helps customers."""

    roles = frozenset({SUPPORT})
    scopes = frozenset({CANCELS_ORDERS})


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
