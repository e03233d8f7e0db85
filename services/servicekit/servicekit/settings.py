"""What a service's settings.py is made of: the Django settings that all services share, and
`from_environment`, which builds settings.SERVICEKIT.
"""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from drf_spectacular.types import OpenApiTypes

from servicekit import env
from servicekit.conf import KitSettings

INSTALLED_APPS: list[str] = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_spectacular",
    "servicekit",
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["servicekit.auth.authentication.BearerAuthentication"],
    # Closed to machine clients: a view that is for them names a scope.
    "DEFAULT_PERMISSION_CLASSES": ["servicekit.auth.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "servicekit.http.media_types.JsonNegotiation",
    "DEFAULT_PARSER_CLASSES": ["servicekit.http.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["servicekit.http.parsers.OrjsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "servicekit.http.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "servicekit.http.exception_handler.exception_handler",
    "UNAUTHENTICATED_USER": "servicekit.auth.authentication.Anonymous",
    "URL_FORMAT_OVERRIDE": None,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "NUM_PROXIES": 1,
}

#: Only what a stock class of simplejwt would read: no key of this process signs anything.
SIMPLE_JWT: dict[str, Any] = {
    "ALGORITHM": "ES256",
    "SIGNING_KEY": None,
    "USER_ID_CLAIM": "sub",
    "AUTH_TOKEN_CLASSES": ("servicekit.auth.tokens.AccessToken",),
    "TOKEN_USER_CLASS": "servicekit.auth.authentication.Principal",
}

MIDDLEWARE: list[str] = ["servicekit.http.middleware.RequestContext"]

# The services answer JSON to the gateway on an inner network: TLS, its headers and framing are the
# gateway's, and there are no sessions, forms or cookies here for CSRF to ride on.
SILENCED_SYSTEM_CHECKS: list[str] = ["security.W001", "security.W002", "security.W003"]


def spectacular(title: str, description: str, scopes: Mapping[str, str]) -> dict[str, Any]:
    """Return drf-spectacular's settings for a service.

    `scopes` are those of machine clients that the service reads, and what each allows.
    """
    return {
        "TITLE": title,
        "DESCRIPTION": description,
        "VERSION": "1.0.0",
        "OAS_VERSION": "3.1.0",
        "SERVE_INCLUDE_SCHEMA": False,
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_NAME_OVERRIDES": {},
        "GET_LIB_DOC_EXCLUDES": "servicekit.http.openapi.documented_elsewhere",
        "APPEND_COMPONENTS": {"securitySchemes": {"client": _client_scheme(scopes)}},
        "PATH_CONVERTER_OVERRIDES": {"id": OpenApiTypes.UUID},
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "servicekit.http.openapi.add_problems",
        ],
    }


def _client_scheme(scopes: Mapping[str, str]) -> dict[str, Any]:
    flow = {"tokenUrl": "/api/auth/oauth/token/", "scopes": dict(scopes)}
    return {"type": "oauth2", "flows": {"clientCredentials": flow}}


class OfTheService(TypedDict, total=False):
    """What a service sets itself; KitSettings says what each means."""

    token_keys: str
    token_signer: str
    token_life_seconds: int
    expected_processes: tuple[str, ...]
    readiness_checks: Mapping[str, str]
    gauges: tuple[str, ...]
    jobs: Mapping[str, float]
    purges: str
    prepare: tuple[str, ...]


def from_environment(service: str, **of_the_service: Unpack[OfTheService]) -> KitSettings:
    """Return settings.SERVICEKIT: what the environment says, and what the service sets itself.

    `.env.example` describes the variables.

    Raises:
        ImproperlyConfigured: a variable is missing or wrong.
    """
    return KitSettings(
        service=service,
        broker_url=env.secret("BROKER_URL"),
        jobs_broker_url=env.secret("JOBS_BROKER_URL"),
        event_router=f"{service}.handlers.router",
        relay_batch=env.integer("RELAY_BATCH", 500, minimum=1, maximum=2000),
        consumer_batch=env.integer("CONSUMER_BATCH", 100, minimum=1, maximum=1000),
        token_issuer=env.text("TOKEN_ISSUER", "souk"),
        token_audience=env.text("TOKEN_AUDIENCE", "souk"),
        jwks_url=env.text("JWKS_URL", "http://users:8000/.well-known/jwks.json"),
        jwks_cache_file=env.text("JWKS_CACHE_FILE", ""),
        **of_the_service,
    )
