"""What a replay is going to do, as data: products, customers, orders, returns, and what is left out
with its reason.
"""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Category:
    slug: str
    name: str


@dataclass(frozen=True)
class PlannedProduct:
    """`code` is the name that lines use; `slug` is the shop's; `stock` is what the product starts
    with.
    """

    code: str
    slug: str
    name: str
    price: Decimal
    stock: int
    category: str
    description: str = ""


@dataclass(frozen=True)
class PlannedCustomer:
    key: str
    email: str
    name: str


@dataclass(frozen=True)
class PlannedOrder:
    """`key` is the Idempotency-Key.

    `line_count` is how many lines of the file it stands for (lines of one code are summed).
    """

    key: str
    invoice: str
    customer: str
    units: tuple[tuple[str, int], ...]
    line_count: int


@dataclass(frozen=True)
class PlannedReturn:
    """Goods that come back: `cancels` is the key of the order that it takes back whole; None: a
    restock by the staff.

    `units` are at most what of its sale is still out; empty if that is nothing.
    """

    invoice: str
    units: tuple[tuple[str, int], ...]
    line_count: int
    cancels: str | None


@dataclass(frozen=True)
class Skipped:
    """A line, an invoice or a stock code that is left out."""

    what: str
    reason: str
    text: str = ""


@dataclass
class Plan:
    categories: list[Category] = field(default_factory=list)
    products: list[PlannedProduct] = field(default_factory=list)
    customers: list[PlannedCustomer] = field(default_factory=list)
    orders: list[PlannedOrder] = field(default_factory=list)
    returns: list[PlannedReturn] = field(default_factory=list)
    skipped_lines: list[Skipped] = field(default_factory=list)
    skipped_invoices: list[Skipped] = field(default_factory=list)
    skipped_codes: list[Skipped] = field(default_factory=list)
    excess_returns: list[Skipped] = field(default_factory=list)
    read_as: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines_read: int = 0
    invoices_read: int = 0
    #: Whether products that the shop has already get the units that these orders want beyond its
    #: stock.
    tops_up: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.orders and not self.returns

    def sums_up(self) -> bool:
        """Whether every line and every invoice of the file is somewhere, once."""
        planned: list[PlannedOrder | PlannedReturn] = [*self.orders, *self.returns]
        lines = sum(each.line_count for each in planned) + len(self.skipped_lines)
        invoices = {each.invoice for each in planned}
        left_out = {each.what for each in self.skipped_invoices}
        return (
            lines == self.lines_read
            and len(invoices) + len(self.skipped_invoices) == self.invoices_read
            and not invoices & left_out
        )
