"""Who may do what with the catalogue: roles of staff, scopes of machine clients."""

from products.roles import (
    CATALOGUE,
    FULFILMENT,
    READS_STOCK,
    SCOPES,
    SUPPORT,
    WRITES_CATALOGUE,
    WRITES_STOCK,
)
from servicekit.auth.permissions import HasRole, HasRoleOrReadOnly, IsStaff


class EditsCatalogueOrReads(HasRoleOrReadOnly):
    """Everybody reads the catalogue."""

    roles = frozenset({CATALOGUE})
    scopes = frozenset({WRITES_CATALOGUE})


class EditsCatalogue(HasRole):
    """Imports, exports and changes of many products at once."""

    roles = frozenset({CATALOGUE})
    scopes = frozenset({WRITES_CATALOGUE})


class CountsStock(HasRole):
    """Whoever fills the catalogue, and whoever packs."""

    roles = frozenset({CATALOGUE, FULFILMENT})
    scopes = frozenset({WRITES_STOCK})
    read_scopes = frozenset({READS_STOCK})


class ModeratesReviews(HasRole):
    """No machine decides what people say."""

    roles = frozenset({CATALOGUE, SUPPORT})


class SeesHidden(IsStaff):
    """Whoever also sees products that are not for sale: staff, and machine clients that have to do
    with them.
    """

    scopes = frozenset(SCOPES)
