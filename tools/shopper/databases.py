"""Database URLs as Django and psycopg want them."""

from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit


def django_database(url: str) -> dict[str, Any]:
    """Return the DATABASES entry of a PostgreSQL URL; percent-encoded parts are decoded."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
    }


def other_database(url: str, name: str) -> str:
    """Return the URL of the database `name` on the same server, options of the URL included."""
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(name, safe="")))
