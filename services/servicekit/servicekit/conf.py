"""What the kit knows of the service that it runs in, as one typed object.

A service builds it in its settings.py (servicekit.settings.from_environment); the kit's code reads
`kit_settings`, as Django REST framework's reads `api_settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings


@dataclass(frozen=True, kw_only=True, slots=True)
class KitSettings:
    """settings.SERVICEKIT. A dotted path names a function or an object of the service."""

    #: The service's name: its package, its user at the broker, its exchange.
    service: str

    # URLs with a password in them are kept out of the repr, which error pages and logs may show.
    #: Where events go and come from.
    broker_url: str = field(repr=False)
    #: Where Celery's jobs go: a virtual host of the service's own.
    jobs_broker_url: str = field(repr=False)
    #: Dotted path of the Router that knows the service's queues and handlers.
    event_router: str
    #: The most rows that the relay sends at once.
    relay_batch: int = 500
    #: The most messages that the consumer handles in one transaction.
    consumer_batch: int = 100

    token_issuer: str = "souk"  # noqa: S105 - a name, no secret
    token_audience: str = "souk"  # noqa: S105 - a name, no secret
    #: How long an access token lives, where tokens are issued.
    token_life_seconds: int = 300
    #: Where the key set is asked for; users has its own and asks nobody.
    jwks_url: str = ""
    #: A file for the last good key set, so that a start does not depend on users.
    jwks_cache_file: str = ""
    #: Dotted path of a function that returns the key set as a dict, where the keys are at home.
    token_keys: str = ""
    #: Dotted path of the function that returns the key that signs, where tokens are issued.
    token_signer: str = ""

    #: Processes without which /readyz says degraded.
    expected_processes: tuple[str, ...] = ("relay", "consumer", "worker")
    #: Further checks of /readyz by name: dotted paths of functions that return what is wrong.
    readiness_checks: Mapping[str, str] = field(default_factory=dict)
    #: Dotted paths of functions that return gauges for /metrics.
    gauges: tuple[str, ...] = ()
    #: Celery tasks of the service and how many seconds lie between two runs of each.
    jobs: Mapping[str, float] = field(default_factory=dict)
    #: Dotted path of a list of `Purge`s, for the tables of the service that grow.
    purges: str = ""
    #: Management commands that `manage.py prepare` runs after the migrations.
    prepare: tuple[str, ...] = ()


class _Current:
    """Reads settings.SERVICEKIT at each use, so that override_settings works in tests."""

    def __getattr__(self, name: str) -> Any:
        return getattr(settings.SERVICEKIT, name)


kit_settings = cast("KitSettings", _Current())
