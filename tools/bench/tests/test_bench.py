"""The parts of the benchmarks that compute: wrk's report, the table, the counter of lines."""

import pytest

from bench.cli import _parser
from bench.generated.calls import KINDS
from bench.scale import Kind, tables
from bench.size import code_lines
from bench.table import Figure, in_turn
from bench.wrk import parse

REPORT = """Running 6s test @ http://127.0.0.1:8080
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    13.16ms    4.20ms  56.00ms   91.00%
    Req/Sec     1.23k    80.11     1.40k    80.00%
  Latency Distribution
     50%  12.50ms
     75%   14.00ms
     90%   16.00ms
     99%   1.20s
  7000 requests in 6.00s, 3.00MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 4
Requests/sec:   1000.00
Transfer/sec:    500.00KB
"""


def test_report_of_wrk_is_read():
    load = parse(REPORT)

    assert (load.per_second, load.p50_ms, load.p99_ms, load.requests, load.failed) == (
        1000.0,
        12.5,
        1200.0,
        7000,
        7,
    )
    assert load.good_per_second == pytest.approx(999.0)


def test_report_without_figures_is_an_error():
    with pytest.raises(ValueError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1")


def test_figure_is_the_median_and_its_ratio_to_the_anchor():
    anchor = Figure("A", "/s", [10, 30, 20])
    figure = Figure("ours", "/s", [100, 80, 60], anchor=anchor)

    assert figure.cells()[1:3] == ("80 (60 to 100) /s", "4.00 x A")


def test_measures_take_turns():
    order = []

    in_turn(2, [lambda: order.append("a"), lambda: order.append("b")])

    assert order == ["a", "b", "a", "b"]


def test_lines_without_code_do_not_count(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        '"""Docs\nof two lines."""\n\n# why\nx = """text\n# no comment"""  # why\n\n\ndef f():\n   '
        ' """Docs."""\n    return x\n'
    )

    assert code_lines(file) == 4


def test_largest_catalogue_is_held_against_the_smallest_and_the_deep_page_against_the_first():
    kinds = {name: Kind.named(name, [1000, 5000]) for name in KINDS}
    for size, p99, rate in ((1000, 10.0, 100.0), (5000, 12.0, 90.0)):
        kinds["list"].p99[size].values.append(p99)
        kinds["list"].rate[size].values.append(rate)
        kinds["deep page"].rate[size].values.append(rate - 9)

    found = tables(kinds)

    p99 = next(rows for title, rows in found.items() if title.endswith("p99"))
    rows = {row.name: row.cells()[1:] for row in p99}
    assert rows["list, 1,000"] == ("10 ms", "", "")
    assert rows["list, 5,000"] == ("12 ms", "1.20 x list, 1,000", "<= 1.5 x")
    assert rows["search, 5,000"][2] == "<= 3 x"
    deep = found["catalogue uncached, 16 clients: deep page beside the first"]
    assert [row.cells()[2:] for row in deep] == [
        ("0.91 x list, 1,000", ">= 0.9 x"),
        ("0.90 x list, 5,000", ">= 0.9 x"),
    ]


@pytest.mark.parametrize("sizes", ["999", "1000,10", "many", ""])
def test_sizes_without_full_pages_are_refused(sizes, capsys):
    with pytest.raises(SystemExit):
        _parser().parse_args(["scale", "--sizes", sizes])

    assert "--sizes" in capsys.readouterr().err


def test_sizes_are_three_unless_others_are_asked_for():
    assert _parser().parse_args([]).sizes == (1000, 100_000, 1_000_000)
    assert _parser().parse_args(["--sizes", "5000,1000"]).sizes == [5000, 1000]
