"""Where a request comes from, for the counters of log-in attempts."""

import ipaddress

from rest_framework.request import Request

from users.services.login_attempts import UNKNOWN


def source_of(request: Request) -> str:
    """Return the client's address as the gateway tells it; of IPv6 the /64 network.

    A single host has 2^64 addresses of IPv6 to guess from.
    """
    text = request.headers.get("X-Real-IP") or request.META.get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
