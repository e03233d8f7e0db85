"""Hands a request that waits over to the `live` process, so that no thread of `web` waits.

The gateway says in a header of its own that it leads there whoever is sent (X-Accel-Redirect, of
nginx' proxy module), and takes the answer from there. Whoever asks `web` without the gateway waits
in a thread, as far as there are places (orders.api.waiting).
"""

from urllib.parse import urlencode
from uuid import UUID

from rest_framework.request import Request

#: The gateway sets it, and lets no client's through (gateway/templates/proxy.conf.template).
OFFER = "X-Waits-Elsewhere"
PLACE = "/__live/internal/outcomes"


def is_offered(request: Request) -> bool:
    """Whether the gateway leads the request to `live` if it is to wait."""
    return OFFER in request.headers


def headers(order_id: UUID, operation: str, **parameters: int | str | None) -> dict[str, str]:
    """Return the headers that hand the request over.

    `operation` says what is answered (orders.api.outcomes), `parameters` how: `seconds` to wait,
    and the `key` by which the answer is kept.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    query = urlencode({"operation": operation, **given})
    return {"X-Accel-Redirect": f"{PLACE}/{order_id}/?{query}"}
