"""The relying party of passkeys: who browsers ask authenticators for a signature for.

By default it is the shop's first name at the gateway, over HTTPS; on this machine it is localhost.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from servicekit import env

HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9]([a-z0-9-]{0,62}))*")
LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a domain: its passkeys work on it and on the domains below it, at the `origins`."""

    id: str
    name: str
    origins: list[str]


def relying_party() -> RelyingParty:
    """Return the relying party that the environment describes.

    Raises:
        ImproperlyConfigured: its id is no domain, or an origin is not of it, or not secure.
    """
    domain = env.text("PASSKEY_RP_ID", _domain_of_gateway())
    if not _is_domain(domain):
        raise ImproperlyConfigured(
            f"PASSKEY_RP_ID is wrong. {domain!r} is no domain: use a name such as shop.example.org,"
            " without https:// and port."
        )
    origins = env.names("PASSKEY_ORIGINS", _origin_of_gateway(domain))
    for origin in origins:
        if not _is_origin(origin, domain):
            raise ImproperlyConfigured(
                f"PASSKEY_ORIGINS is wrong. {origin!r} is no origin of {domain}: use"
                f" https://{domain}, without a path; http is for localhost alone."
            )
    return RelyingParty(domain, env.text("PASSKEY_RP_NAME", "Souk"), origins)


def _domain_of_gateway() -> str:
    """Return the first name that the gateway answers to; browsers take no address for one."""
    names = env.names("GATEWAY_HOSTS", LOCAL)
    return next((name for name in names if _is_domain(name)), LOCAL)


def _origin_of_gateway(domain: str) -> str:
    if domain != LOCAL:
        return f"https://{domain}"
    port = env.integer("GATEWAY_PORT", 8080, minimum=0, maximum=65535)
    return f"http://{LOCAL}" if port == 80 else f"http://{LOCAL}:{port}"


def _is_domain(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(HOST.fullmatch(text))
    return False


def _is_origin(text: str, domain: str) -> bool:
    """Whether browsers would send it as the origin of a page that may use the domain's passkeys."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    spelled = f"{url.scheme}://{host}" + ("" if port is None else f":{port}")
    is_secure = url.scheme == "https" or (url.scheme == "http" and host == LOCAL)
    is_usual = port == {"https": 443, "http": 80}.get(url.scheme)
    is_within = host == domain or host.endswith(f".{domain}")
    return text == spelled and is_secure and is_within and not is_usual
