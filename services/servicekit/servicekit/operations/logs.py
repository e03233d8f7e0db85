"""Logs: a JSON object per line on standard output, with the ids of request, trace and event.

They never hold a secret. Tracebacks do not show local variables, which may be passwords and tokens.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from servicekit import context, env

SECRET_NAMES = re.compile(
    r"password|passwd|token|secret|authorization|cookie|^key$|_key$",
    re.IGNORECASE,
)
# Access tokens, passwords in URLs, and a mail's token that a client puts into the query.
SECRET_VALUES = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]+|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)|(?<=[?&]token=)[^&\s'\"]+"
)
REDACTED = "[redacted]"


def logging(service: str) -> dict[str, Any]:
    """Return Django's LOGGING for a service."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.ExtraAdder(),
                    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                    _Context(service),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    redact,
                    structlog.processors.JSONRenderer(sort_keys=False),
                ],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"handlers": ["stdout"], "level": env.text("LOG_LEVEL", "INFO")},
        # django.server repeats the access line; a failed request is logged by django.request.
        "loggers": {"django.server": {"level": "ERROR"}, "amqp": {"level": "WARNING"}},
    }


class _Context:
    """Adds the service, and what it works on (servicekit.context)."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(
        self, _logger: Any, _name: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        known = {
            "service": self._service,
            "request_id": context.request_id.get(),
            "traceparent": context.traceparent.get(),
            "cause": context.causation.get(),
        }
        line.update(
            {name: str(value) for name, value in known.items() if value and name not in line}
        )
        return line


def redact(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Hide values with the name of a secret, and what looks like a token or a URL's password."""
    return {name: _redacted(name, value) for name, value in line.items()}


def _redacted(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return {
            _without_secrets(str(key)): _redacted(str(key), item) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", item) for item in value]
    # The renderer writes other types as their repr, which may quote a secret: an error the address
    # with its password, bytes a token.
    return _without_secrets(value if isinstance(value, str) else repr(value))


def _without_secrets(text: str) -> str:
    return SECRET_VALUES.sub(REDACTED, text)
