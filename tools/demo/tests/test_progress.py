"""Progress without a terminal, and the loop that works through a list."""

import asyncio
import io

import pytest

from demo import progress as progress_module
from demo.progress import Progress, work_through


def said(total, steps, title="orders"):
    stream = io.StringIO()
    progress = Progress(title, total, stream)
    for _ in range(steps):
        progress.step()
    progress.close()
    return stream.getvalue().splitlines()


def test_each_tenth_is_said_once():
    assert said(200, 200) == [f"orders: {count} of 200" for count in range(20, 201, 20)]
    assert said(3, 3) == ["orders: 1 of 3", "orders: 2 of 3", "orders: 3 of 3"]
    assert said(200, 19) == []


def test_count_without_an_end_is_said_now_and_then(monkeypatch):
    monkeypatch.setattr(progress_module, "SAID_EVERY", 5)

    assert said(0, 14, "lines") == ["lines: 5", "lines: 10"]


def test_terminal_has_a_bar():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    progress = Progress("orders", 2, stream)
    progress.step()
    progress.step()
    progress.close()

    assert "orders" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert "orders: " not in stream.getvalue().replace("orders  ", "")


@pytest.mark.parametrize(("parallel", "most"), [(1, 1), (3, 3), (50, 7)])
def test_every_item_is_worked_on_once_and_so_many_at_a_time(parallel, most):
    done, open_now, seen = [], 0, 0

    async def work(item):
        nonlocal open_now, seen
        open_now += 1
        seen = max(seen, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        done.append(item)

    asyncio.run(work_through("x", iter(range(7)), work, parallel=parallel))

    assert (sorted(done), seen) == (list(range(7)), most)


def test_first_error_ends_all_and_is_raised_itself():
    done = []

    async def work(item):
        if item == 2:
            raise LookupError("two")
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(LookupError, match="two"):
        asyncio.run(work_through("x", range(100), work, parallel=2))
    assert len(done) < 4


def test_nothing_to_do_says_nothing(capsys):
    async def work(item):
        raise AssertionError(item)

    asyncio.run(work_through("x", [], work, parallel=2))

    assert capsys.readouterr().err == ""
