"""Returns against sales: never more comes back than was sold, whatever the order of things."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.plan import Plan, PlannedOrder
from demo.returns import Returns

UNITS = st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9), min_size=1).map(
    lambda units: tuple(sorted(units.items()))
)
STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), UNITS), max_size=12)


def planned(*steps):
    """Plan (is a sale, customer, units) one after the other; return the plan."""
    plan = Plan()
    returns = Returns(plan)
    for number, (is_sale, customer, units) in enumerate(steps):
        if is_sale:
            returns.sold(customer, [PlannedOrder(str(number), str(number), customer, units, 1)])
        else:
            returns.take_back(f"C{number}", customer, units, 1)
    return plan


@given(STEPS)
def test_of_what_was_sold_no_more_comes_back_and_the_rest_is_listed(steps):
    sold, back, asked = Counter(), Counter(), Counter()
    plan = planned(*steps)
    taken_back = iter(plan.returns)

    for is_sale, customer, units in steps:
        if is_sale:
            sold.update({(customer, code): count for code, count in units})
            continue
        for code, count in next(taken_back).units:
            if (customer, code) in sold:
                back[customer, code] += count
        asked.update({(customer, code): count for code, count in units if (customer, code) in sold})

    assert all(back[key] <= sold[key] for key in sold)
    assert bool(plan.excess_returns) == any(asked[key] > back[key] for key in asked)


@given(STEPS)
def test_each_order_is_cancelled_once_at_most_and_by_its_own_units(steps):
    orders = {str(number): step for number, step in enumerate(steps) if step[0]}
    cancels = [each for each in planned(*steps).returns if each.cancels]

    assert len({each.cancels for each in cancels}) == len(cancels)
    for each in cancels:
        _, customer, units = orders[each.cancels]
        assert (customer, units) == (steps[int(each.invoice[1:])][1], each.units)


def test_order_of_which_something_came_back_is_not_cancelled_whole():
    six, four = (("x", 6),), (("x", 4),)

    plan = planned((True, "a", six), (False, "a", four), (False, "a", six))

    assert [(each.cancels, each.units) for each in plan.returns] == [
        (None, four),
        (None, (("x", 2),)),
    ]
    assert [each.reason for each in plan.excess_returns] == [
        "6 come back, but only 2 of its sale are out"
    ]


@pytest.mark.parametrize("customer", ["", "b"])
def test_return_without_its_sale_comes_back_whole(customer):
    plan = planned((True, "a", (("x", 6),)), (False, customer, (("x", 6),)))

    assert [(each.cancels, each.units) for each in plan.returns] == [(None, (("x", 6),))]
    assert plan.excess_returns == []


def test_sale_without_a_customer_is_never_cancelled():
    plan = planned((True, "", (("x", 6),)), (False, "", (("x", 6),)))

    assert plan.returns[0].cancels is None
