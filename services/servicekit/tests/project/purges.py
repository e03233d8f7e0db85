"""A purge that a service would add to the kit's."""

from servicekit.operations.purge import Purge

NOTHING = Purge(
    "nothing",
    "DELETE FROM inbox WHERE id = %(batch)s AND id = -%(batch)s AND id = %(days)s",
    days=0,
)
PURGES = [NOTHING]
