from typing import Any

from django.core.management.base import BaseCommand, CommandError

from products.services import stock_check


class Command(BaseCommand):
    help = "Compare every stock with its ledger; change nothing."

    def handle(self, **_options: Any) -> None:
        found = stock_check.find_differences()
        for difference in found:
            self.stdout.write(f"{difference.product_id}  {difference.reason}")
        if found:
            raise CommandError(
                f"{len(found)} differ. `make audit` tells which orders; a staff adjustment mends."
            )
        self.stdout.write("Every stock is the sum of its ledger.")
