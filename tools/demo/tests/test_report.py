"""The report: what it says of a run, and what it calls a disagreement."""

from collections import Counter

import pytest

from demo.plan import Plan, PlannedOrder, PlannedReturn, Skipped
from demo.report import SHOWN, OrderOutcome, Outcome, ReturnOutcome, report_data, report_lines


def plan_of(orders=1, returns=0, skipped=()):
    plan = Plan(skipped_lines=list(skipped), read_as=["UTF-8, commas"])
    plan.orders = [PlannedOrder(f"{n}", f"{n}", "c", (("p", 6),), 2) for n in range(orders)]
    plan.returns = [PlannedReturn(f"C{n}", (("p", 1),), 1, None) for n in range(returns)]
    plan.lines_read = 2 * orders + returns + len(plan.skipped_lines)
    plan.invoices_read = orders + returns
    return plan


def outcome_of(plan, status="confirmed", kind="restocked", **changes):
    outcome = Outcome(plan, **changes)
    for each in plan.orders:
        outcome.orders[each.key] = OrderOutcome(
            each.key, each.invoice, 6, each.line_count, id=f"o{each.key}", status=status
        )
    outcome.returns = [
        ReturnOutcome(each.invoice, 1, 1, kind, reason="why") for each in plan.returns
    ]
    return outcome


def test_run_that_adds_up_is_told_in_figures():
    skipped = [Skipped("line 9", "price is not positive", "85123A HEART")]
    outcome = outcome_of(plan_of(orders=2, returns=1, skipped=skipped), seconds=1.26)
    outcome.new.update({"orders": 2, "customers": 0})

    assert report_lines(outcome) == [
        "",
        "read as    UTF-8, commas",
        "lines      6 read = 4 ordered + 1 restocked + 1 left out (1 price is not positive)",
        "invoices   3 read = 2 orders + 1 restocked + 0 left out",
        "products   0    customers 0",
        "orders     2 = 2 confirmed",
        "units      12 confirmed; restocked 1",
        "lines left out (1):",
        "  line 9: price is not positive  [85123A HEART]",
        "new: 2 orders",
        "took 1.3 s",
    ]


def test_plan_without_a_file_has_no_lines_to_account_for():
    plan = plan_of()
    plan.lines_read = 0

    assert not [
        line for line in report_lines(outcome_of(plan)) if line.startswith(("lines", "invoices"))
    ]


def test_second_run_says_that_everything_was_there():
    assert "nothing new: everything was there already" in report_lines(outcome_of(plan_of()))


def test_repeats_are_told_with_their_reasons():
    outcome = outcome_of(plan_of(), repeats={"503": 2, "429": 5}, seconds=2.0)

    assert "took 2.0 s; repeated 5 429, 2 503" in report_lines(outcome)


def test_long_list_is_cut_and_says_how_much_is_missing():
    skipped = [Skipped(f"line {number}", "no product") for number in range(SHOWN + 3)]

    lines = report_lines(outcome_of(plan_of(skipped=skipped)))

    start = lines.index("lines left out (13):")
    assert lines[start + SHOWN] == f"  line {SHOWN - 1}: no product"
    assert lines[start + SHOWN + 1] == "  … and 3 more (--report FILE has all)"


def test_disagreements_are_cut_too():
    lines = report_lines(outcome_of(plan_of(orders=SHOWN + 2), status="refused"))

    assert sum(line.startswith("DOES NOT ADD UP: order ") for line in lines) == SHOWN
    assert lines[-1] == "… and 2 more"


@pytest.mark.parametrize("status", ["confirmed", "rejected", "cancelled", "expired", "unavailable"])
def test_order_that_ended_agrees(status):
    assert outcome_of(plan_of(), status=status).disagreements() == []


@pytest.mark.parametrize("status", ["pending", "refused", "lost"])
def test_order_that_did_not_end_disagrees(status):
    outcome = outcome_of(plan_of(), status=status)
    outcome.orders["0"].reason = "because"

    assert outcome.disagreements() == [f"order 0 is {status} because"]


@pytest.mark.parametrize(
    ("kind", "found"), [("refused", ["return C0: why"]), ("restocked", []), ("not sold", [])]
)
def test_return_disagrees_when_it_was_refused(kind, found):
    assert outcome_of(plan_of(returns=1), kind=kind).disagreements() == found


def test_order_or_return_that_was_not_handled_disagrees():
    whole = outcome_of(plan_of(orders=2, returns=1))
    expected = ["not every planned order or return was handled"]

    del whole.orders["1"]
    assert whole.disagreements() == expected

    whole = outcome_of(plan_of(orders=2, returns=1))
    whole.returns.clear()
    assert whole.disagreements() == expected


def test_plan_that_does_not_sum_up_disagrees():
    plan = plan_of()
    plan.lines_read += 1

    assert outcome_of(plan).disagreements() == [
        "the plan does not account for every line and invoice of the file"
    ]


def test_returns_alone_are_a_use_of_the_file_unless_nothing_came_back():
    assert outcome_of(plan_of(orders=0, returns=1)).disagreements() == []
    assert outcome_of(plan_of(orders=0, returns=1), kind="not sold").disagreements() == [
        "nothing in the file could be used"
    ]


def test_data_has_the_figures_of_the_lines():
    plan = plan_of(orders=2, returns=1, skipped=[Skipped("line 9", "no product")] * 2)
    plan.excess_returns = [Skipped("C0 p", "more")]
    outcome = outcome_of(plan, repeats={"503": 1}, seconds=1.26, refused=["product x"])
    outcome.new["orders"] = 2

    assert report_data(outcome) == {
        "lines_read": 7,
        "lines_skipped": {"no product": 2},
        "invoices_read": 3,
        "invoices_skipped": 0,
        "products": 0,
        "customers": 0,
        "orders_by_status": {"confirmed": 2},
        "returns_by_kind": {"restocked": 1},
        "returns_larger_than_sale": 1,
        "new": Counter(orders=2),
        "seconds": 1.3,
        "repeats": {"503": 1},
        "disagreements": ["product x"],
    }


def test_orders_with_a_product_that_is_off_are_listed():
    outcome = outcome_of(plan_of(), status="unavailable")
    outcome.orders["0"].reason = "product p is switched off"

    assert "  0: product p is switched off" in report_lines(outcome)


def test_invoice_that_is_planned_and_left_out_does_not_sum_up():
    plan = plan_of()
    assert plan.sums_up()
    plan.skipped_invoices, plan.invoices_read = [Skipped("0", "twice")], 2

    assert not plan.sums_up()


def test_plan_of_returns_alone_is_not_empty():
    assert plan_of(orders=0).is_empty
    assert not plan_of(orders=0, returns=1).is_empty
