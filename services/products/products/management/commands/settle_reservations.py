from typing import Any

from django.core.management.base import BaseCommand

from products import selectors
from products.services import unsettled


class Command(BaseCommand):
    help = (
        "Ask orders about reservations that nobody confirmed or released; the answers settle them."
    )

    def handle(self, **_options: Any) -> None:
        asked = unsettled.ask_about_unsettled()
        waiting = selectors.count_unsettled()
        self.stdout.write(f"Asked about {asked} of {waiting} reservations, each once an hour.")
