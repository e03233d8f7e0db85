"""Settings from the environment, read once at start; what is missing or wrong stops the process
and names itself.

environs reads and checks the values; the messages are ours, because a person reads them in a log:
the variable, what is wrong, what to do, and never a secret. Any variable may instead be given as
the file that NAME_FILE names, as container secrets are.
"""

import os
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from environs import FileAwareEnv
from environs import validate as validators
from environs.exceptions import EnvValidationError

REQUIRED: Any = object()

#: A server that vanished: an unanswered statement fails after 10 s, a silent connection after 15 s
#: (tcp(7)).
VANISHED_SERVER = {
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

#: What a cache may take: less than what it saves.
CACHE_SECONDS = 0.05
MAIL_BACKENDS = {"smtp": "smtp", "file": "filebased", "console": "console", "off": "dummy"}
#: A worker that waits for a mail server for longer gives no sign of life meanwhile.
MAIL_SECONDS = 10

# Without expand_vars: a "$" in a password refers to nothing.
_environment = FileAwareEnv(strip_whitespace=True)


def _read(parse: Callable[..., Any], name: str, default: Any, **options: Any) -> Any:
    """Return the parsed variable; `default` where it is not set, or set to nothing."""
    file = os.environ.get(f"{name}_FILE")
    if not file and not os.environ.get(name):
        if default is REQUIRED:
            raise ImproperlyConfigured(
                f"{name} is not set. Set it in the environment; .env.example describes it."
            )
        return default
    try:
        value = parse(name, **options)
    except EnvValidationError as error:
        # Not "from error", here and below: what environs and Python say may quote a secret.
        raise ImproperlyConfigured(f"{name} is wrong. {' '.join(error.error_messages)}") from None
    except ValueError:
        raise ImproperlyConfigured(f"{name}_FILE names {file}, which cannot be read.") from None
    if value == "":
        raise ImproperlyConfigured(f"{name}_FILE names {file}, which is empty.")
    return value


def text(name: str, default: str = REQUIRED) -> str:
    """Return the variable's value, or `default`.

    Raises:
        ImproperlyConfigured: it is not set and has no default, or its file cannot be read.
    """
    return str(_read(_environment.str, name, default))


#: The same; the name tells the reader what is read.
secret = text


def boolean(name: str, default: bool) -> bool:
    """Return a yes or no.

    Raises:
        ImproperlyConfigured: the value is not one of true, false, yes, no, on, off, 1, 0.
    """
    messages = {"invalid": "Use true or false."}
    return bool(_read(_environment.bool, name, default, error_messages=messages))


def integer(
    name: str, default: int = REQUIRED, minimum: int | None = None, maximum: int | None = None
) -> int:
    """Return a whole number within the bounds.

    Raises:
        ImproperlyConfigured: it is not a whole number, or outside the bounds.
    """
    number = f"Use a whole number{_bounds(minimum, maximum)}."
    within = validators.Range(minimum, maximum, error=number)
    messages = {"invalid": number}
    return int(_read(_environment.int, name, default, validate=within, error_messages=messages))


def _bounds(minimum: int | None, maximum: int | None) -> str:
    if minimum is None:
        return "" if maximum is None else f" of at most {maximum}"
    return f" of at least {minimum}" if maximum is None else f" from {minimum} to {maximum}"


def choice(name: str, default: str, allowed: Collection[str]) -> str:
    """Return one of the allowed words, or `default`; an empty value is the default.

    Raises:
        ImproperlyConfigured: the value is no such word.
    """
    value = text(name, default) or default
    if value not in {default, *allowed}:
        words = ", ".join(sorted(allowed))
        raise ImproperlyConfigured(f"{name} is wrong. Use one of: {words}.")
    return value


def names(name: str, default: str = REQUIRED) -> list[str]:
    """Return the comma-separated words of the variable, without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def email_addresses(name: str, default: str = REQUIRED) -> list[str]:
    """Return the comma-separated e-mail addresses of the variable.

    Raises:
        ImproperlyConfigured: one of them is no address.
    """
    return [_checked_address(name, address) for address in names(name, default)]


def email_address(name: str, default: str = REQUIRED) -> str:
    """Return the e-mail address of the variable.

    Raises:
        ImproperlyConfigured: it is no address.
    """
    return _checked_address(name, text(name, default))


def _checked_address(name: str, address: str) -> str:
    try:
        validate_email(address)
    except ValidationError:
        raise ImproperlyConfigured(f"{name} is wrong. {address!r} is no e-mail address.") from None
    return address


def email(name: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings for the URL of a mail server, or of what replaces it.

    smtp://user:password@host:587/?tls=true (STARTTLS; ssl=true for TLS from the start),
    file:///folder, console: (the default) or off: for no mail at all. Not by dj-email-url, which
    reads file:///folder as a relative path and takes a scheme that it does not know for SMTP.

    Raises:
        ImproperlyConfigured: it is none of these.
    """
    try:
        url = urlsplit(secret(name, "console:"))
        options = dict(parse_qsl(url.query, strict_parsing=bool(url.query)))
        port = url.port
    except ValueError:
        url, options, port = urlsplit(""), {}, None
    is_known = url.scheme in MAIL_BACKENDS and options.keys() <= {"tls", "ssl"}
    is_complete = {"smtp": bool(url.hostname), "file": url.path.strip("/") != ""}
    if not is_known or not is_complete.get(url.scheme, True) or {*options.values()} - {"true"}:
        raise ImproperlyConfigured(
            f"{name} is no address for mail. Use smtp://user:password@host:587/?tls=true,"
            " file:///folder, console: or off:."
        )
    usual_port = 465 if "ssl" in options else 587 if "tls" in options else 25
    return {
        "EMAIL_BACKEND": f"django.core.mail.backends.{MAIL_BACKENDS[url.scheme]}.EmailBackend",
        "EMAIL_HOST": url.hostname or "",
        "EMAIL_PORT": port or usual_port,
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_TLS": "tls" in options,
        "EMAIL_USE_SSL": "ssl" in options,
        "EMAIL_FILE_PATH": unquote(url.path),
        "EMAIL_TIMEOUT": MAIL_SECONDS,
    }


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
        raise ImproperlyConfigured(
            f"{name} is no list of Fernet keys: 32 random bytes each, base64url, separated by"
            " commas."
        ) from None
    return keys


def database(name: str = "DATABASE_URL") -> dict[str, Any]:
    """Return Django's DATABASES["default"] for a URL like postgres://user:password@host:port/name.

    Each thread keeps a connection, which is checked before each request
    (docs/adr/0005-a-connection-a-thread.md).

    Raises:
        ImproperlyConfigured: it is missing, or no postgres URL.
    """
    try:
        url = urlsplit(secret(name))
        port = url.port or 5432
    except ValueError:
        url, port = urlsplit(""), 0
    is_postgres = url.scheme in {"postgres", "postgresql"}
    if not is_postgres or not url.hostname or not url.path.strip("/"):
        raise ImproperlyConfigured(
            f"{name} is no database URL. Use postgres://user:password@host:port/name."
        )
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


def cache(prefix: str, name: str = "REDIS_URL") -> dict[str, Any]:
    """Return Django's CACHES["default"] in Redis, or without the variable a cache of nothing.

    Redis is given a few milliseconds, and asked once: servicekit.operations.cache does without it.
    """
    url = text(name, "")
    if not url:
        return {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    # Here: its megabytes are for the services that have a cache.
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": prefix,
        "OPTIONS": {
            "SERIALIZER": "servicekit.operations.cache.PlainBytes",
            "SOCKET_CONNECT_TIMEOUT": CACHE_SECONDS,
            "SOCKET_TIMEOUT": CACHE_SECONDS,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
        },
    }


def storage(*, url: str) -> dict[str, Any]:
    """Return Django's STORAGES["default"], whose files are found below `url`.

    It is the folder MEDIA_DIR, or with MEDIA_STORAGE=s3://bucket a bucket, by django-storages; the
    keys and the end point are boto's own variables (AWS_ACCESS_KEY_ID, ...).

    Raises:
        ImproperlyConfigured: MEDIA_STORAGE is no such address.
    """
    place = text("MEDIA_STORAGE", "")
    if not place:
        options = {"location": text("MEDIA_DIR", "/var/lib/souk-media"), "base_url": url}
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    parts = urlsplit(place)
    address = urlsplit(url)
    if parts.scheme != "s3" or not parts.hostname or not address.hostname:
        raise ImproperlyConfigured(
            "MEDIA_STORAGE is no bucket. Use s3://bucket, and MEDIA_URL=https://host/ for where"
            " clients find its files."
        )
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.hostname,
            "location": parts.path.strip("/"),
            "custom_domain": address.netloc + address.path.rstrip("/"),
            "url_protocol": f"{address.scheme}:",
            "querystring_auth": False,
            "file_overwrite": False,
            "object_parameters": {"CacheControl": "public, max-age=31536000, immutable"},
        },
    }


def _session_settings() -> str:
    """Return libpq's `options`. Only web processes limit their statements (gunicorn_conf sets the
    variable): batches and migrations may take longer.
    """
    limit = integer("STATEMENT_TIMEOUT_SECONDS", 0, minimum=0, maximum=3600)
    settings = ["lock_timeout=10000", "idle_in_transaction_session_timeout=30000"]
    settings += [f"statement_timeout={limit * 1000}"] if limit else []
    return " ".join(f"-c {setting}" for setting in settings)
