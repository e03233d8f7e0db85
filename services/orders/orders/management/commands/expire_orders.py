import math
from typing import Any

from django.core.management.base import BaseCommand

from orders.services.settlement import expire_all_overdue


class Command(BaseCommand):
    help = (
        "Expire every pending order that is past its deadline, "
        "as the worker does every five seconds."
    )

    def handle(self, **_options: Any) -> None:
        total = expire_all_overdue(seconds=math.inf)
        self.stdout.write(
            f"{total} expired. Their customers' units are put back by the order_expired events."
        )
