"""Plan what comes back.

- A return that names exactly the products and units of an earlier order of that customer cancels
  it; any other is a restock.
- A restock takes back at most what of that customer's purchases in the file is still out: the rest
  is counted and listed. Goods that the customer has not bought in the file were sold before it
  began, and come back as they are (so do those of sales without a customer).
"""

from collections import defaultdict
from collections.abc import Iterable

from demo.plan import Plan, PlannedOrder, PlannedReturn, Skipped

Units = tuple[tuple[str, int], ...]


class Returns:
    """Follows sales and returns in the order of their dates."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._whole: dict[tuple[str, frozenset[tuple[str, int]]], list[str]] = defaultdict(list)
        self._still_out: dict[tuple[str, str], int] = {}

    def sold(self, customer: str, orders: list[PlannedOrder]) -> None:
        """Note the orders of one invoice."""
        for order in orders:
            for code, count in order.units:
                self._still_out[customer, code] = self._still_out.get((customer, code), 0) + count
        if customer and len(orders) == 1:
            self._whole[customer, frozenset(orders[0].units)].append(orders[0].key)

    def take_back(self, invoice: str, customer: str, units: Units, line_count: int) -> None:
        """Plan a return."""
        orders = self._whole[customer, frozenset(units)] if self._all_out(customer, units) else []
        cancels = orders.pop(0) if orders else None
        taken = tuple(self._bounded(invoice, customer, units))
        self._plan.returns.append(PlannedReturn(invoice, taken, line_count, cancels))

    def _all_out(self, customer: str, units: Units) -> bool:
        """Whether no restock brought any of it back: a whole order can then be taken back."""
        return all(self._still_out.get((customer, code), 0) >= count for code, count in units)

    def _bounded(self, invoice: str, customer: str, units: Units) -> Iterable[tuple[str, int]]:
        for code, count in units:
            still_out = self._still_out.get((customer, code))
            taken = count if still_out is None else min(count, still_out)
            if still_out is not None:
                self._still_out[customer, code] = still_out - taken
            if taken < count:
                reason = f"{count} come back, but only {taken} of its sale are out"
                self._plan.excess_returns.append(Skipped(f"{invoice} {code}", reason))
            if taken:
                yield code, taken
