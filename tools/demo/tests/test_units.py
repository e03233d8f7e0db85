"""What the next file wants of products that are there already, and what comes back of what was
sold.
"""

from demo.lines import parse_retail
from demo.retail import plan_replay
from demo.units import Wanted, not_there, shortages

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def order(key, user="u", status="confirmed", quantity=6):
    return {
        "id": key,
        "user": user,
        "status": status,
        "lines": [{"product": "p", "quantity": quantity}],
    }


def wanted(told="", user="u", quantity=6):
    return Wanted(told, user, frozenset({("p", quantity)}))


def test_next_file_is_short_of_what_it_orders_beyond_the_stock():
    missing = not_there([wanted(quantity=30)], [order("1")], told={"1"})

    assert shortages(missing, [order("1")], {"p": 10}) == {"p": 20}


def test_order_that_is_there_wants_nothing():
    assert not_there([wanted(told="1")], [order("1")], told={"1"}) == []


def test_order_whose_answer_got_lost_is_known_by_its_units():
    assert not_there([wanted(), wanted(told="1")], [order("1"), order("2")], told={"1"}) == []


def test_same_units_ordered_again_are_wanted_again():
    assert not_there([wanted()], [order("1")], told={"1"}) == [wanted()]


def test_pending_orders_have_not_taken_their_units_yet():
    assert shortages([wanted()], [order("1", status="pending")], {"p": 10}) == {"p": 2}


def plan_of(*rows):
    lines = [
        f"{invoice},85123A,HEART,{count},{date},2.55,17850,UK\n" for invoice, count, date in rows
    ]
    plan = plan_replay(parse_retail((HEADER + "".join(lines)).encode()))
    assert plan.sums_up()
    return plan


def test_return_larger_than_its_sale_is_bounded_and_listed():
    plan = plan_of(("1", 6, "2010-12-01"), ("C2", -9, "2010-12-02"))

    assert plan.returns[0].units == (("85123A", 6),)
    assert [each.what for each in plan.excess_returns] == ["C2 85123A"]


def test_returns_together_bring_back_no_more_than_was_sold():
    plan = plan_of(("1", 6, "2010-12-01"), ("C2", -4, "2010-12-02"), ("C3", -4, "2010-12-03"))

    assert [each.units for each in plan.returns] == [(("85123A", 4),), (("85123A", 2),)]


def test_return_of_what_was_sold_before_the_file_began_comes_back_whole():
    plan = plan_of(("C1", -4, "2010-12-01"))

    assert (plan.returns[0].units, plan.excess_returns) == ((("85123A", 4),), [])


def test_dates_order_the_replay():
    plan = plan_of(("C3", -6, "2010-12-02"), ("2", 5, "2010-12-03"), ("1", 6, "2010-12-02"))

    assert [each.invoice for each in plan.orders] == ["1", "2"]
    assert plan.returns[0].cancels == "1"
