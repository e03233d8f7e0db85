"""What Prometheus asks of products: whether reservations wait for their end.

The worker asks orders about them, so they tell how the two understand each other.
"""

from products import selectors
from servicekit.operations.metrics import Gauge


def gauges() -> list[Gauge]:
    """Return how many reservations should have ended long ago."""
    description = (
        "Reservations neither confirmed nor released long after their order's deadline; at most"
        f" {selectors.UNSETTLED_COUNTED} are counted"
    )
    return [Gauge("souk_unsettled_reservations", description, selectors.count_unsettled())]
