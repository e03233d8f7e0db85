from typing import Any

from django.core.management.base import BaseCommand

from servicekit.messaging.relay import relay_from_settings
from servicekit.operations import metrics


class Command(BaseCommand):
    help = (
        "Publish the outbox until SIGTERM. Of several relays of one service one is active, "
        "the others stand by."
    )
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        metrics.serve()
        relay_from_settings().run()
