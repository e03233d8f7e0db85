"""Rules of columns: what was written in a form is read back, whatever the values."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.amounts import COMMA, POINT, NumberRule, number_rules
from demo.columns import COLUMNS, OPTIONAL, UnknownColumns, must_name_all, places_of
from demo.dates import DAY_FIRST, MONTH_FIRST, DateRule, date_rule

TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0)
)
TO_THE_SECOND = [
    ("%Y-%m-%d %H:%M:%S", None),
    ("%Y-%m-%dT%H:%M:%SZ", None),
    ("%Y/%m/%d %H.%M.%S", None),
    ("%m/%d/%Y %H:%M:%S", MONTH_FIRST),
    ("%m/%d/%y %I:%M:%S %p", MONTH_FIRST),
    ("%d.%m.%Y %H:%M:%S", DAY_FIRST),
    ("%d-%m-%y, %I:%M:%S %p", DAY_FIRST),
    ("%d-%b-%Y %H:%M:%S", None),
    ("%d %B %y %H:%M:%S", None),
    ("%B %d, %Y %I:%M:%S %p", None),
]
NUMBERS = st.decimals(-999_999_999, 999_999_999, places=2)


def counted(*texts):
    return Counter(texts)


@pytest.mark.parametrize(("form", "order"), TO_THE_SECOND)
@given(at=TIMES)
def test_time_is_read_back_as_it_was_written(form, order, at):
    assert DateRule(order).read(at.strftime(form)) == at


@given(TIMES, st.integers(-14 * 60, 14 * 60))
def test_zone_moves_the_time_to_utc(at, minutes):
    written = at.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes))).isoformat()

    assert DateRule(None).read(written) == at


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_dates(text):
    for order in (MONTH_FIRST, DAY_FIRST):
        assert DateRule(order).read(text) is None or re.search(r"\d", text)


@pytest.mark.parametrize("order", [MONTH_FIRST, DAY_FIRST])
@given(at=TIMES.filter(lambda at: at.day > 12), others=st.lists(TIMES, max_size=5))
def test_one_day_after_the_twelfth_decides_for_all(order, at, others):
    form = "%m/%d/%Y" if order == MONTH_FIRST else "%d/%m/%Y"

    rule = date_rule(counted(*(each.strftime(form) for each in (at, *others))))

    assert (rule.order, rule.assumed) == (order, "")


def test_more_lines_outweigh_a_stray_one():
    texts = Counter({"13/1/2010": 5, "1/14/2010": 4})

    assert date_rule(texts).order == DAY_FIRST
    assert date_rule(texts, MONTH_FIRST).order == MONTH_FIRST


def test_dates_that_are_the_same_either_way_assume_nothing():
    assert date_rule(counted("1/1/2010", "5/5/2010")) == DateRule(MONTH_FIRST)
    assert date_rule(counted("2010-12-01", "1 Dec 2010")) == DateRule(None)
    assert str(DateRule(None)) == "dates year first or with names"


@pytest.mark.parametrize(("text", "order"), [("1/2/2010", MONTH_FIRST), ("1.2.2010", DAY_FIRST)])
def test_single_open_date_is_read_as_its_mark_suggests_and_told(text, order):
    rule = date_rule(counted(text))

    assert rule.order == order
    assert str(rule) == (
        f"dates {order} (assumed: {text} can be read both ways, and nothing in the file decides)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2010-02-30",
        "2010-12/01",
        "1 Foo 2010",
        "12:30",
        "2010-12-01 24:00",
        "2010-12-01 8:26+25:00",
        "1/2/3",
    ],
)
def test_text_that_no_calendar_has_is_no_date(text):
    assert DateRule(MONTH_FIRST).read(text) is None


@pytest.mark.parametrize(
    ("mark", "group"), [(POINT, ","), (COMMA, "."), (POINT, " "), (COMMA, "'")]
)
@given(number=NUMBERS)
def test_number_is_read_back_as_it_was_written(mark, group, number):
    written = f"{number:,}".translate({ord(","): group, ord("."): mark})

    assert NumberRule(mark).read(written) == number


@given(NUMBERS, st.sampled_from(["£{}", "{} €", "$ {}", "{}$"]))
def test_sign_of_a_currency_changes_no_number(number, form):
    assert NumberRule(POINT).read(form.format(number)) == number


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_numbers(text):
    for mark in (POINT, COMMA):
        number = NumberRule(mark).read(text)
        assert number is None or (number.is_finite() and number.adjusted() < 15)


@pytest.mark.parametrize(
    "text",
    ["", "-", "1,23", "12,34,567", "1 234,567", "1.2.3", "1e5", "0x1", "1_000", "£", "1" * 16, "٦"],
)
def test_text_that_is_no_number_of_the_rule_is_none(text):
    assert NumberRule(POINT).read(text) is None


@given(NUMBERS.filter(lambda number: abs(number) >= 1000), st.sampled_from([POINT, COMMA]))
def test_grouped_number_with_decimals_decides_for_both_columns(number, mark):
    written = f"{number:,.2f}"
    if mark == COMMA:
        written = written.translate({ord(","): ".", ord("."): ","})

    prices, quantities = number_rules(counted(written), counted("1,234", "1.234"), ",")

    assert (prices, quantities) == (NumberRule(mark), NumberRule(mark))


@pytest.mark.parametrize(("delimiter", "mark"), [(";", COMMA), (",", POINT), ("\t", POINT)])
def test_numbers_that_nothing_decides_are_read_as_the_delimiter_suggests(delimiter, mark):
    prices, quantities = number_rules(counted("1,234"), counted("6"), delimiter)

    assert prices == NumberRule(mark, "1,234 can be read both ways")
    assert quantities == NumberRule(mark)
    assert str(prices).endswith("(assumed: 1,234 can be read both ways)")
    assert prices.read("1,234") == (Decimal("1.234") if mark == COMMA else Decimal(1234))


@given(st.permutations(list(COLUMNS)), st.data())
def test_columns_are_found_by_any_of_their_names_in_any_order(columns, data):
    names = [data.draw(st.sampled_from(COLUMNS[column])) for column in columns]
    written = [
        data.draw(st.sampled_from([name, name.upper(), f" {name[:3]}_{name[3:]} "]))
        for name in names
    ]

    assert places_of(written) == {column: place for place, column in enumerate(columns)}


@pytest.mark.parametrize("column", COLUMNS)
def test_column_that_is_missing_is_named(column):
    places = {name: place for place, name in enumerate(COLUMNS) if name != column}

    if column in OPTIONAL:
        must_name_all(places)
    else:
        with pytest.raises(UnknownColumns, match=f"no column for {column};"):
            must_name_all(places)
