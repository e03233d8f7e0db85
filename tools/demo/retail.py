"""Make a plan of an Online Retail file: pure, from lines to products, customers, orders and
returns.

The rules, in the order in which they are asked:

- A stock code is a product if it is five digits and up to three letters (`85123A`), or
  `DCGS…`/`SP…` as in the later months of the set. Everything else (`POST`, `M`, `D`, `DOT`, `BANK
  CHARGES`, gift vouchers) is no product: its lines are reported and left out.
- Codes are told apart by case: the set's `85099B` and `85099b` are two products here, with two
  slugs.
- A price must be at least a penny after rounding. A product's price is its most frequent valid
  price on its sales lines (the first of equals); orders are charged the shop's price, whatever the
  line said. Its name is the most frequent description on those lines.
- An invoice whose number starts with `C` is a return, every other invoice a sale; lines of a sale
  must have a quantity > 0, of a return < 0.
- The customer of an invoice is the first CustomerID on it; without an id, the buyer is made up for
  that invoice alone.
- Invoices are replayed by date. An invoice that an earlier table (sheet) of the file has too is
  left out: Online Retail II repeats days.
- What comes back is planned in `returns.py`.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from demo.lines import Line, RetailFile, WrongLine
from demo.plan import Category, Plan, PlannedCustomer, PlannedOrder, PlannedProduct, Skipped
from demo.returns import Returns

PRODUCT_CODE = re.compile(r"\d{5}[A-Za-z]{0,3}|(DCGS|SP)[0-9A-Za-z]{1,12}", re.ASCII)
CATEGORY = Category("online-retail", "Online retail")
PENNY = Decimal("0.01")
MAX_PRICE = Decimal("9999999999.99")
MAX_UNITS = 1_000_000
MAX_STOCK = 1_000_000_000
MAX_ORDER_LINES = 1000
MAX_NAME = 200
SPARE_UNITS = 10
DOMAIN = "retail.example"


@dataclass
class _Invoice:
    number: str
    table: str = ""
    lines: list[Line] = field(default_factory=list)

    @property
    def is_return(self) -> bool:
        return self.number[:1] in ("C", "c")

    @property
    def customer(self) -> str:
        return next((line.customer for line in self.lines if line.customer), "")

    @property
    def moment(self) -> tuple[datetime, bool]:
        """Return what invoices are sorted by; of one moment (dates may have no time) sales come
        before returns.
        """
        return min((line.at for line in self.lines), default=datetime.max), self.is_return  # noqa: DTZ901

    def units(self) -> tuple[tuple[str, int], ...]:
        """Return the units per code, lines of one code summed, in the order of the file."""
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[line.code] = sums.get(line.code, 0) + abs(line.quantity)
        return tuple(sums.items())


def plan_replay(file: RetailFile, *, stock: int | None = None) -> Plan:
    """Return the plan of a file; `stock` is every product's, by default what the file orders and
    some to spare.
    """
    plan = Plan(
        lines_read=file.records, categories=[CATEGORY], read_as=file.read_as, tops_up=stock is None
    )
    plan.skipped_lines = [Skipped(_place(wrong), wrong.reason, wrong.text) for wrong in file.wrong]
    invoices: dict[str, _Invoice] = {}
    for line in file.lines:
        invoice = invoices.setdefault(line.invoice, _Invoice(line.invoice, line.table))
        reason = (
            wrong_line_reason(line)
            if line.table == invoice.table
            else "invoice is in an earlier table"
        )
        if reason:
            plan.skipped_lines.append(
                Skipped(_place(line), reason, f"{line.code} {line.description}"[:80])
            )
        else:
            invoice.lines.append(line)
    plan.invoices_read = len(invoices)
    by_date = sorted(invoices.values(), key=lambda invoice: invoice.moment)
    _plan_invoices(plan, by_date)
    _plan_products(plan, file.lines, by_date, stock)
    return plan


def _place(line: Line | WrongLine) -> str:
    return f"{line.table} line {line.number}".strip()


def wrong_line_reason(line: Line) -> str:
    """Return why a line that reads well cannot be used; empty if it can."""
    is_return = line.invoice[:1] in ("C", "c")
    if not PRODUCT_CODE.fullmatch(line.code):
        return "code is no product"
    if not PENNY <= rounded(line.price) <= MAX_PRICE:
        return "price is not positive" if line.price < PENNY else "price is too high"
    if line.quantity == 0 or (line.quantity < 0) != is_return:
        return (
            "quantity is positive on a return"
            if is_return and line.quantity > 0
            else "quantity is not positive"
        )
    return "quantity is too high" if abs(line.quantity) > MAX_UNITS else ""


def rounded(price: Decimal) -> Decimal:
    return price.quantize(PENNY, rounding=ROUND_HALF_UP)


def slug_of(code: str) -> str:
    """Return a slug that no other code has: upper case is the rule, so a code with lower case
    letters gets a suffix.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-")
    return (
        plain if code == code.upper() and plain == code.lower() else f"{plain}-{_short_hash(code)}"
    )


def email_of(customer: str) -> str:
    """Return the address of a CustomerID; unusual ids are told apart by a hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", customer.lower()).strip("-")[:40]
    return f"{plain if plain == customer else f'{plain}-{_short_hash(customer)}'}@{DOMAIN}"


def key_of(invoice: str, part: int = 0) -> str:
    """Return the Idempotency-Key: the invoice number itself where a header can carry it."""
    plain = invoice if re.fullmatch(r"[!-~]{1,200}", invoice) else f"invoice-{_short_hash(invoice)}"
    return f"{plain}/{part + 1}" if part else plain


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plan_invoices(plan: Plan, invoices: Iterable[_Invoice]) -> None:
    customers: dict[str, PlannedCustomer] = {}
    returns = Returns(plan)
    for invoice in invoices:
        if not invoice.lines:
            plan.skipped_invoices.append(Skipped(invoice.number, "no line that can be used"))
            continue
        if invoice.is_return:
            returns.take_back(invoice.number, invoice.customer, invoice.units(), len(invoice.lines))
        else:
            orders = _orders_of(invoice)
            plan.orders.extend(orders)
            returns.sold(invoice.customer, orders)
        if invoice.customer or not invoice.is_return:
            customer = _customer_of(invoice)
            customers.setdefault(customer.key, customer)
    plan.customers = list(customers.values())


def _orders_of(invoice: _Invoice) -> list[PlannedOrder]:
    """Return the invoice's order; more products than one order may have make several."""
    units = invoice.units()
    customer = _customer_of(invoice).key
    orders = []
    for part, start in enumerate(range(0, len(units), MAX_ORDER_LINES)):
        chosen = units[start : start + MAX_ORDER_LINES]
        codes = {code for code, _ in chosen}
        count = sum(line.code in codes for line in invoice.lines)
        orders.append(
            PlannedOrder(key_of(invoice.number, part), invoice.number, customer, chosen, count)
        )
    return orders


def _customer_of(invoice: _Invoice) -> PlannedCustomer:
    if invoice.customer:
        return PlannedCustomer(
            f"customer {invoice.customer}",
            email_of(invoice.customer),
            f"Customer {invoice.customer}",
        )
    email = email_of(f"invoice-{invoice.number.lower()}")
    return PlannedCustomer(f"invoice {invoice.number}", email, f"Buyer of {invoice.number}")


def _plan_products(
    plan: Plan, lines: list[Line], invoices: Iterable[_Invoice], stock: int | None
) -> None:
    sold: dict[str, list[Line]] = defaultdict(list)
    returned: dict[str, list[Line]] = defaultdict(list)
    for invoice in invoices:
        for line in invoice.lines:
            (returned if invoice.is_return else sold)[line.code].append(line)
    seen = dict.fromkeys(line.code for line in lines)
    for code in seen:
        known = sold.get(code) or returned.get(code)
        if known:
            demand = sum(line.quantity for line in sold.get(code, []))
            enough = min(demand + SPARE_UNITS, MAX_STOCK)
            plan.products.append(_product_of(code, known, enough if stock is None else stock))
        else:
            no_product = not PRODUCT_CODE.fullmatch(code)
            reason = "is no product" if no_product else "has no line that can be used"
            plan.skipped_codes.append(Skipped(code, reason))


def _product_of(code: str, lines: list[Line], stock: int) -> PlannedProduct:
    names = Counter(line.description[:MAX_NAME] for line in lines if line.description)
    prices = Counter(rounded(line.price) for line in lines)
    name = names.most_common(1)[0][0] if names else f"Product {code}"
    return PlannedProduct(
        code,
        slug_of(code),
        name,
        prices.most_common(1)[0][0],
        stock,
        CATEGORY.slug,
        f"Stock code {code}",
    )
