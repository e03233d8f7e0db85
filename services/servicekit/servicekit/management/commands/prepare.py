import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit.operations.bootstrap import DatabaseStaysAway, prepare
from servicekit.operations.web_size import TooManyConnections


class Command(BaseCommand):
    help = (
        "Make the database ready for the service: role, database, migrations, first rows. "
        "It may run any number of times."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait", type=float, default=120.0, help="seconds to wait for the database"
        )

    def handle(self, *, wait: float, **_options: Any) -> None:
        # The first process of a container is not ended by a signal that it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            prepare(wait_seconds=wait)
        except (DatabaseStaysAway, TooManyConnections) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The database is ready.")
