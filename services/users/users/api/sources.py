"""Where a request comes from, for the counters of log-in attempts and the security log."""

import ipaddress

from rest_framework.request import Request

from servicekit.http.fields import UNCLEAN
from users.models import MAX_DEVICE_LENGTH
from users.services.login_attempts import UNKNOWN
from users.services.security_log import Origin


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


def origin_of(request: Request) -> Origin:
    """Return where a request comes from, for the security log."""
    return {"source": source_of(request), "device": device_of(request)}


def device_of(request: Request) -> str:
    """Return what the client calls itself, as far as it is text."""
    return UNCLEAN.sub("", request.headers.get("User-Agent", ""))[:MAX_DEVICE_LENGTH].strip()
