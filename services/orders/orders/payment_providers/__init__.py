"""Payment providers: what the shop asks of whoever moves the money.

A provider is named by the setting PAYMENT_PROVIDER; without one, orders are confirmed by their
stock alone. There is one, for tests and demonstrations (test.py); an adapter of a real one is a
class with these methods. It sees ids and amounts, no card data: those go from the customer's
browser to the provider, which knows the payment by the order's id.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

#: What the setting may say, and the class that it means.
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {"test": "orders.payment_providers.test.TestProvider"}
)


class ProviderAway(Exception):
    """The provider cannot be reached, or did not answer in time: ask again, with the same key."""


class Request(NamedTuple):
    """What is asked: `key` is the idempotency key, `payment_id` and `order_id` say of what."""

    key: UUID
    payment_id: UUID
    order_id: UUID
    amount: Decimal
    currency: str


class Provider(Protocol):
    """Each method answers True (done), False (refused for good) or None (not yet).

    All of them may be called again with the same key, as often as it takes: a call that was
    answered has no other effect and the same answer. They raise ProviderAway where nothing is
    known. After a `void` was answered True the shop owes nobody anything, whatever was asked of the
    payment before, and whatever is answered to that later.
    """

    def authorise(self, request: Request) -> bool | None:
        """Set the amount aside for the shop."""

    def capture(self, request: Request) -> bool | None:
        """Take what was set aside."""

    def void(self, request: Request) -> bool | None:
        """Let go what was, or will be, set aside."""

    def refund(self, request: Request) -> bool | None:
        """Give back what was taken, or a part of it."""

    def unasked(self) -> Iterable[tuple[UUID, bool]]:
        """Return answers that came of themselves (a webhook's), by the key of what was asked.

        They may be old, and come any number of times.
        """


def provider() -> Provider | None:
    """Return the provider that the settings name; None is a shop without one."""
    name = settings.PAYMENT_PROVIDER
    if not name:
        return None
    made: Provider = import_string(PROVIDERS[name])()
    return made
