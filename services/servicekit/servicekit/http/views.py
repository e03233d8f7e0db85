"""Until every service has viewsets."""

from servicekit.http.viewsets import StrictAPIView


class StrictView(StrictAPIView):
    """The same by its old name."""
