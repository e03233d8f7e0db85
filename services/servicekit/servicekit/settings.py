"""Settings that all services share. In a service's settings.py:

REST_FRAMEWORK = rest.REST_FRAMEWORK
SPECTACULAR_SETTINGS = rest.spectacular("Souk orders", "…")
MIDDLEWARE = rest.MIDDLEWARE
SILENCED_SYSTEM_CHECKS = rest.SILENCED_SYSTEM_CHECKS
"""

from typing import Any

from drf_spectacular.types import OpenApiTypes

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["servicekit.auth.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
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

MIDDLEWARE = ["servicekit.http.middleware.RequestContext"]

# The services answer JSON to the gateway on an inner network: TLS, its headers and framing are the gateway's, and there are no
# sessions, forms or cookies here for CSRF to ride on.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]


def spectacular(title: str, description: str) -> dict[str, Any]:
    """Return drf-spectacular's settings for a service."""
    return {
        "TITLE": title,
        "DESCRIPTION": description,
        "VERSION": "1.0.0",
        "OAS_VERSION": "3.1.0",
        "SERVE_INCLUDE_SCHEMA": False,
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_NAME_OVERRIDES": {},
        "GET_LIB_DOC_EXCLUDES": "servicekit.http.openapi.documented_elsewhere",
        "PATH_CONVERTER_OVERRIDES": {"id": OpenApiTypes.UUID},
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "servicekit.http.openapi.add_problems",
        ],
    }
