from typing import Any

from django.core.management.base import BaseCommand

from products.services import image_files


class Command(BaseCommand):
    help = "Delete the files of images that no row names and that are older than a day."

    def handle(self, **_options: Any) -> None:
        self.stdout.write(f"{image_files.delete_orphans()} files are deleted.")
