from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orders.services.catalogue import ProductsUnavailable, rebuild_catalogue


class Command(BaseCommand):
    help = (
        "Read the catalogue from the products service anew. "
        "It may run while events arrive; run it again after a failure."
    )

    def handle(self, **_options: Any) -> None:
        try:
            count = rebuild_catalogue(report=self.stdout.write)
        except ProductsUnavailable as error:
            raise CommandError(f"{error} What was read is kept; run it again.") from error
        self.stdout.write(f"The copy holds {count} products for sale.")
