"""What orders refuses, as the API answers it. The name of a class is its problem code."""

from servicekit.http.problems import Conflict, Problem


class ProductUnavailable(Conflict):
    """A line names a product that is not for sale."""


class MixedCurrencies(Conflict):
    """The products are sold in different currencies: place an order for each."""


class OrderTooLarge(Conflict):
    """The lines, with the products' names, exceed what an event may carry: place it in parts."""


class TotalTooLarge(Conflict):
    """Together the lines cost more than an order may: place it in parts."""


class CartEmpty(Conflict):
    """There is nothing to check out; `order_id` is what the cart was checked out as."""


class CartTooLarge(Conflict):
    """The cart has as many products as it may."""


class TooManyUnitsInCart(Conflict):
    """Together they are more units of a product than an order may have."""


class NotInCart(Problem):
    """The cart does not have this product."""

    status_code = 404


class StaleCart(Problem):
    """The cart has changed since the version that If-Match names."""

    status_code = 412


class PriceChanged(Conflict):
    """It does not cost what the caller expects: `total` and `currency` are what it costs now."""


class TooManyUnits(Conflict):
    """Of a product, more than a customer may have; `products` says of which, and how many more."""


class TooManyPendingOrders(Conflict):
    """As many of the customer's orders as there may be are undecided."""


class OutOfStock(Conflict):
    """The order was placed and rejected: `shortages` names each short line and what is left."""


class OrderEnded(Conflict):
    """While the caller waited, the order was cancelled or it expired."""


class NotCancellable(Conflict):
    """The order's state does not allow it, or a part of it was shipped."""


class NotShippable(Conflict):
    """Only what is confirmed, and not shipped yet, can be shipped."""


class NotDeliverable(Conflict):
    """Only an order of which everything was shipped can be delivered."""


class NotReturnable(Conflict):
    """More units than were shipped, and did not come back yet."""


class NotInOrder(Conflict):
    """A line names a product that the order does not have."""
