"""Make the baseline's tables and rows; prints a token.

Run as `python -m bench.baseline.fill COUNT`.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.baseline.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from bench.baseline.models import Category, Product  # noqa: E402  Django first
from bench.baseline.tokens import token_for  # noqa: E402


def fill(count: int) -> str:
    """Return a token of the only user; products have the ids 1 to `count`, a million units each."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    category = Category.objects.create(name="Bench", slug="bench")
    Product.objects.bulk_create(
        [
            Product(
                category=category,
                name=f"Thing {number}",
                slug=f"thing-{number}",
                description="x" * 100,
                price=10,
                stock=1_000_000,
            )
            for number in range(1, count + 1)
        ]
    )
    return token_for(User.objects.create_user("bench"))


if __name__ == "__main__":
    print(fill(int(sys.argv[1])))
