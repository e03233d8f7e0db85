from typing import Any

from django.core.management.base import BaseCommand, CommandError

from servicekit.operations import purge


class Command(BaseCommand):
    help = "Delete every row that has served its purpose, as the worker does every few seconds."
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        try:
            done = purge.run()
        except purge.PurgeRuns as error:
            raise CommandError(
                f"{error} The worker does so every few seconds: try again."
            ) from error
        for purged in done:
            note = f"  FAILED: {purged.error}" if purged.error else ""
            self.stdout.write(f"{purged.table:<18} {purged.deleted:>9} deleted{note}")
        if any(purged.error for purged in done):
            raise CommandError("Some tables could not be purged; the others were.")
