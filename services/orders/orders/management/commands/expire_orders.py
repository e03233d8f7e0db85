from typing import Any

from django.core.management.base import BaseCommand

from orders.services import EXPIRE_AT_ONCE, expire_overdue_orders


class Command(BaseCommand):
    help = "Expire every pending order that is past its deadline, as the worker does every five seconds."

    def handle(self, **_options: Any) -> None:
        total = 0
        while True:
            expired = expire_overdue_orders()
            total += expired
            if expired < EXPIRE_AT_ONCE:
                break
        self.stdout.write(
            f"{total} expired. Their customers' units are put back by the order_expired events."
        )
