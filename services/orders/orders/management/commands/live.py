from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orders.live.application import Live, Server
from servicekit.auth import key_refresh, revocation_list
from servicekit.operations import metrics


class Command(BaseCommand):
    help = "Serve sockets that follow orders, and requests that wait for an outcome, until SIGTERM."
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        metrics.serve()
        # As gunicorn's workers do (servicekit/gunicorn_conf.py).
        key_refresh.follow_in_background()
        revocation_list.follow_in_background()
        host, _, port = settings.LIVE_BIND.rpartition(":")
        Server(Live(), host=host, port=int(port)).run()
