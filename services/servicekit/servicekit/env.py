"""Settings from the environment, read once at start; a missing or wrong one stops the process and names itself."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

REQUIRED: Any = object()
TRUE_WORDS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}

#: A server that is gone without a word: an unanswered statement fails after 10 s, a silent connection after 15 s (tcp(7)).
VANISHED_SERVER = {
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def text(name: str, default: str = REQUIRED) -> str:
    """Return the variable's value, or `default`.

    Raises:
        ImproperlyConfigured: it is not set and has no default.
    """
    value = os.environ.get(name, "")
    if value:
        return value
    if default is REQUIRED:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment; .env.example describes it."
        )
    return default


def secret(name: str, default: str = REQUIRED) -> str:
    """Like `text`, but the value may instead stand in the file that NAME_FILE names (trailing newline dropped)."""
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return text(name, default)
    try:
        value = Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE names {path}, which cannot be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError:
        # Not "from error": that one quotes the secret.
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: not UTF-8.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which is empty.")
    return value


def boolean(name: str, default: bool) -> bool:
    """Return a yes or no.

    Raises:
        ImproperlyConfigured: the value is not one of true, false, yes, no, 1, 0.
    """
    value = text(name, "")
    if not value:
        return default
    if value.lower() not in TRUE_WORDS:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use true or false.")
    return TRUE_WORDS[value.lower()]


def integer(
    name: str, default: int = REQUIRED, minimum: int | None = None, maximum: int | None = None
) -> int:
    """Return a whole number within the bounds.

    Raises:
        ImproperlyConfigured: it is not a whole number, or outside the bounds.
    """
    value = text(name) if default is REQUIRED else text(name, "")
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use a whole number.") from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ImproperlyConfigured(f"{name} is {number}. Use a number {_bounds(minimum, maximum)}.")
    return number


def _bounds(minimum: int | None, maximum: int | None) -> str:
    if minimum is None:
        return f"of at most {maximum}"
    return f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"


def names(name: str, default: str = REQUIRED) -> list[str]:
    """Return the comma-separated words of the variable, without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def encryption_keys(name: str) -> list[str]:
    """Return the comma-separated Fernet keys of a secret; the first encrypts, all decrypt.

    Raises:
        ImproperlyConfigured: it is missing, or one of them is no such key.
    """
    keys = [key.strip() for key in secret(name).split(",")]
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        # Not "from error", and without the value: it is a secret.
        raise ImproperlyConfigured(
            f"{name} is no list of Fernet keys: 32 random bytes each, base64url, separated by commas."
        ) from None
    return keys


def database(name: str = "DATABASE_URL") -> dict[str, Any]:
    """Return Django's DATABASES["default"] for a URL like postgres://user:password@host:port/name.

    Each thread keeps a connection, looked at before each request (docs/adr/0005-a-connection-a-thread.md).

    Raises:
        ImproperlyConfigured: it is missing, or no postgres URL.
    """
    try:
        url = urlsplit(secret(name))
        port = url.port or 5432
    except ValueError:
        url, port = urlsplit(""), 0
    if url.scheme not in {"postgres", "postgresql"} or not url.hostname or not url.path.strip("/"):
        raise ImproperlyConfigured(f"{name} is no database URL. Use postgres://user:password@host:port/name.")
    return {
        "ENGINE": "servicekit.postgresql",
        "NAME": unquote(url.path.strip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": str(port),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "server_side_binding": True,
            "prepare_threshold": 2,
            "connect_timeout": 3,
            **VANISHED_SERVER,
            "options": _session_settings(),
        },
    }


def _session_settings() -> str:
    """A limit for statements is the web processes' own: gunicorn_conf sets it; batches and migrations may take longer."""
    limit = integer("STATEMENT_TIMEOUT_SECONDS", 0, minimum=0, maximum=3600)
    settings = ["lock_timeout=10000", "idle_in_transaction_session_timeout=30000"]
    settings += [f"statement_timeout={limit * 1000}"] if limit else []
    return " ".join(f"-c {setting}" for setting in settings)
