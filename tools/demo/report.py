"""What a run of the demo did, and whether it adds up."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from demo.plan import Plan, Skipped

SHOWN = 10
SETTLED = ("confirmed", "rejected", "cancelled", "expired")
#: The staff's decision: told, and nothing that does not add up.
UNAVAILABLE = "unavailable"


@dataclass
class OrderOutcome:
    """What became of one planned order.

    `status` is "unavailable" when a product of it is switched off or deleted, "refused" when the
    shop did not take it otherwise.
    """

    key: str
    invoice: str
    units: int
    line_count: int
    id: str = ""
    customer: str = ""
    status: str = "pending"
    is_new: bool = False
    reason: str = ""


@dataclass
class ReturnOutcome:
    """What became of one return: cancelled, restocked, not sold (its order was never confirmed, or
    nothing is out) or refused.
    """

    invoice: str
    units: int
    line_count: int
    kind: str
    is_new: bool = False
    reason: str = ""


@dataclass
class Outcome:
    """Everything that happened in one run."""

    plan: Plan
    new: Counter[str] = field(default_factory=Counter)
    orders: dict[str, OrderOutcome] = field(default_factory=dict)
    returns: list[ReturnOutcome] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0
    repeats: dict[str, int] = field(default_factory=dict)

    @property
    def by_status(self) -> Counter[str]:
        return Counter(order.status for order in self.orders.values())

    @property
    def by_return(self) -> Counter[str]:
        return Counter(each.kind for each in self.returns)

    @property
    def used_anything(self) -> bool:
        """Whether an order of the plan is in the shop, or goods came back."""
        return any(each.id for each in self.orders.values()) or bool(self.by_return["restocked"])

    def unavailable(self) -> list[Skipped]:
        """Return the orders with a product that cannot be bought."""
        return [
            Skipped(each.key, each.reason)
            for each in self.orders.values()
            if each.status == UNAVAILABLE
        ]

    def disagreements(self) -> list[str]:
        """Return what does not add up or did not end well; empty is good."""
        found = list(self.refused)
        if not self.used_anything:
            found.append("nothing in the file could be used")
        if not self.plan.sums_up():
            found.append("the plan does not account for every line and invoice of the file")
        if len(self.orders) != len(self.plan.orders) or len(self.returns) != len(self.plan.returns):
            found.append("not every planned order or return was handled")
        found += [
            f"order {each.key} is {each.status} {each.reason}".strip()
            for each in self.orders.values()
            if each.status not in (*SETTLED, UNAVAILABLE)
        ]
        found += [
            f"return {each.invoice}: {each.reason}"
            for each in self.returns
            if each.kind == "refused"
        ]
        return found


def report_lines(outcome: Outcome) -> list[str]:
    """Return the report as text lines."""
    plan = outcome.plan
    lines = ["", *(f"read as    {each}" for each in plan.read_as)]
    lines += _file_part(plan, outcome) + _shop_part(outcome)
    lines += _listed("lines left out", plan.skipped_lines) + _listed(
        "codes left out", plan.skipped_codes
    )
    lines += _listed("invoices left out", plan.skipped_invoices) + plan.notes
    lines += _listed("returns larger than their sale", plan.excess_returns)
    lines += _listed("orders not placed", outcome.unavailable())
    if outcome.used_anything:
        summary = ", ".join(f"{count} {name}" for name, count in outcome.new.items() if count)
        lines.append(f"new: {summary}" if summary else "nothing new: everything was there already")
    lines.append(f"took {outcome.seconds:.1f} s" + _repeats(outcome.repeats))
    problems = outcome.disagreements()
    lines += [f"DOES NOT ADD UP: {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"… and {len(problems) - SHOWN} more")
    return lines


def report_data(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of the report, for a program to read."""
    plan = outcome.plan
    return {
        "lines_read": plan.lines_read,
        "lines_skipped": Counter(each.reason for each in plan.skipped_lines),
        "invoices_read": plan.invoices_read,
        "invoices_skipped": len(plan.skipped_invoices),
        "products": len(plan.products),
        "customers": len(plan.customers),
        "orders_by_status": outcome.by_status,
        "returns_by_kind": outcome.by_return,
        "returns_larger_than_sale": len(plan.excess_returns),
        "new": outcome.new,
        "seconds": round(outcome.seconds, 1),
        "repeats": outcome.repeats,
        "disagreements": outcome.disagreements(),
    }


def _file_part(plan: Plan, outcome: Outcome) -> list[str]:
    if not plan.lines_read:
        return []
    ordered = sum(each.line_count for each in outcome.orders.values())
    returned = Counter[str]()
    for each in outcome.returns:
        returned[each.kind] += each.line_count
    reasons = Counter(each.reason for each in plan.skipped_lines)
    invoices = len({each.invoice for each in outcome.orders.values()})
    kinds = outcome.by_return
    return [
        f"lines      {plan.lines_read} read = {ordered} ordered +"
        f" {_sum_of(returned)}{len(plan.skipped_lines)} left out"
        + (f" ({_counts(reasons)})" if reasons else ""),
        f"invoices   {plan.invoices_read} read = {invoices} orders +"
        f" {_sum_of(kinds)}{len(plan.skipped_invoices)} left out",
    ]


def _shop_part(outcome: Outcome) -> list[str]:
    units = Counter[str]()
    for order in outcome.orders.values():
        units[order.status] += order.units
    back = sum(each.units for each in outcome.returns if each.kind == "restocked")
    return [
        f"products   {len(outcome.plan.products)}    customers {len(outcome.plan.customers)}",
        f"orders     {len(outcome.orders)} = {_counts(outcome.by_status)}",
        f"units      {_counts(units)}" + (f"; restocked {back}" if back else ""),
    ]


def _listed(title: str, skipped: list[Skipped]) -> list[str]:
    if not skipped:
        return []
    shown = [
        f"  {each.what}: {each.reason}" + (f"  [{each.text}]" if each.text else "")
        for each in skipped[:SHOWN]
    ]
    more = (
        [f"  … and {len(skipped) - SHOWN} more (--report FILE has all)"]
        if len(skipped) > SHOWN
        else []
    )
    return [f"{title} ({len(skipped)}):", *shown, *more]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _sum_of(counts: Counter[str]) -> str:
    return "".join(f"{count} {name} + " for name, count in counts.items())


def _repeats(repeats: dict[str, int]) -> str:
    return f"; repeated {_counts(Counter(repeats))}" if repeats else ""
