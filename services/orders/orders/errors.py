"""What orders refuses, as the API answers it."""

from servicekit.http.problems import Problem


class ProductUnavailable(Problem):
    """A line names a product that is not for sale."""

    status_code = 409
    code = "product_unavailable"
    title = "Product unavailable"


class MixedCurrencies(Problem):
    """The products are sold in different currencies: place an order for each."""

    status_code = 409
    code = "mixed_currencies"
    title = "Mixed currencies"


class OrderTooLarge(Problem):
    """The order's lines, with the products' names, exceed what an event may carry: place it in parts."""

    status_code = 409
    code = "order_too_large"
    title = "Order too large"


class TotalTooLarge(Problem):
    """Each line may be ordered, but together they cost more than an order can: place it in parts."""

    status_code = 409
    code = "total_too_large"
    title = "Total too large"


class OutOfStock(Problem):
    """The order was placed and rejected: `shortages` names each short line and what is left."""

    status_code = 409
    code = "out_of_stock"
    title = "Out of stock"


class NotSettledAsWished(Problem):
    """While the caller waited, the order was cancelled or it expired."""

    status_code = 409
    code = "order_ended"
    title = "Order ended"


class NotCancellable(Problem):
    """The order's state does not allow it."""

    status_code = 409
    code = "not_cancellable"
    title = "Not cancellable"
