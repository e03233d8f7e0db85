from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit.messaging.consumer import consumer_from_settings
from servicekit.messaging.router import service_router
from servicekit.operations import metrics


class Command(BaseCommand):
    help = "Handle the events of this service's queues until SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="*", help="default: every queue of the service")

    def handle(self, *, queues: list[str], **_options: Any) -> None:
        router = service_router()
        unknown = sorted(set(queues) - set(router.queues))
        if unknown:
            known = ", ".join(router.queues)
            raise CommandError(f"No handlers for {', '.join(unknown)}. Known: {known}.")
        metrics.serve()
        consumer_from_settings(router, queues).run()
