"""`make test` runs real pytest in folders of the test, and ends whatever they leave behind."""

import os
import time
from pathlib import Path

import pytest

from checks import suite
from checks.suite import Result
from souk.checkout import REPOSITORY
from souk.console import CommandError

TESTS = """
import pytest
def test_passes(): pass
def test_fails(): assert False
def test_breaks(missing_fixture): pass
@pytest.mark.skip
def test_waits(): pass
@pytest.mark.xfail
def test_is_known(): assert False
"""


def run_in(tmp_path: Path, tests: str, *words: str) -> Result:
    (tmp_path / "test_it.py").write_text(tests)
    variables = {"PATH": os.environ["PATH"]}
    return suite.run_pytest("it", tmp_path, variables, ["-p", "no:cacheprovider", *words])


def is_gone(pid: int) -> bool:
    """Wait until a process that was killed has ended."""
    stat, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + 5
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_counts_are_those_of_pytest(tmp_path: Path) -> None:
    result = run_in(tmp_path, TESTS)

    assert (result.passed, result.failed, result.skipped) == (1, 2, 2)
    assert not result.is_well


def test_words_go_to_pytest(tmp_path: Path) -> None:
    result = run_in(tmp_path, TESTS, "-k", "passes")

    assert (result.passed, result.failed, result.skipped) == (1, 0, 0)
    assert result.is_well


@pytest.mark.parametrize(
    "tests",
    ["def test_crashes():\n    import os; os._exit(7)\n", "import nothing_of_that_name\n", "\n"],
    ids=["crash", "import", "empty"],
)
def test_part_that_cannot_report_has_failed(tmp_path: Path, tests: str) -> None:
    assert not run_in(tmp_path, tests).is_well


def test_part_that_only_skips_is_not_well(tmp_path: Path) -> None:
    result = run_in(tmp_path, "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n")

    assert (result.failed, result.skipped) == (0, 1)
    assert not result.is_well


def test_command_has_its_folder_variables_and_no_input(tmp_path: Path) -> None:
    script = 'pwd > said; echo "$WORD" >> said; cat >> said'
    variables = {"PATH": os.environ["PATH"], "WORD": "a b"}

    assert suite.run_bounded(["sh", "-c", script], tmp_path, variables, 10) == 0

    assert (tmp_path / "said").read_text() == f"{tmp_path}\na b\n"


def test_processes_that_a_command_leaves_are_ended(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! > pid; exit 3"

    assert suite.run_bounded(["sh", "-c", script], tmp_path, os.environ, 10) == 3

    assert is_gone(int((tmp_path / "pid").read_text()))


def test_command_that_does_not_end_is_ended_with_all_of_its_own(tmp_path: Path) -> None:
    script = "trap 'echo asked > end; exit' TERM; sleep 300 & echo $! > pid; wait"

    assert suite.run_bounded(["sh", "-c", script], tmp_path, os.environ, 0.5) == 124

    assert (tmp_path / "end").read_text() == "asked\n"
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_small_parts_run_beside_each_other_and_each_is_told_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each of two waits for the other; a third is large, and runs before them."""
    meets = """
from pathlib import Path
def test_meets():
    Path("../{own}.there").touch()
    while not Path("../{other}.there").exists(): pass
    assert Path("../large.there").exists()
"""
    tests = {
        "one": meets.format(own="one", other="two"),
        "large": "def test_large(): open('../large.there', 'w')",
        "two": meets.format(own="two", other="one") + "    assert False, 'two says no'",
    }
    for name, text in tests.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "test_it.py").write_text(text)
        monkeypatch.setitem(suite.PARTS, name, tmp_path / name)
    monkeypatch.setattr(suite, "ON_EVERY_CORE", {"large"})
    monkeypatch.setattr(suite, "PART_SECONDS", 60)
    monkeypatch.setattr(suite.os, "cpu_count", lambda: 2)

    results = suite.run_on_every_core(list(tests), {"PATH": os.environ["PATH"]})

    assert [(each.name, each.is_well) for each in results] == [
        ("one", True),
        ("large", True),
        ("two", False),
    ]
    assert "two says no" in capfd.readouterr().out.partition("--- two\n")[2]


def test_table_ends_with_the_sums(capsys: pytest.CaptureFixture[str]) -> None:
    suite.print_table([Result("users", 3, 0, 1, 2.0), Result("orders", 4, 2, 0, 1.5)])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[1:5]] == [
        ["part", "passed", "failed", "skipped"],
        ["users", "3", "0", "1"],
        ["orders", "4", "2", "0"],
        ["all", "7", "2", "1"],
    ]
    assert lines[3].endswith("FAILED")
    assert lines[-1] == "7 passed, 2 failed, 1 skipped"


def test_unknown_part_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match=r"no part nobody; there are .*users.*e2e"):
        suite.run_parts(["users", "nobody"])


def test_every_folder_with_tests_is_a_part() -> None:
    tested = {
        path.parent
        for path in REPOSITORY.glob("*/**/tests")
        if any(path.glob("test_*.py")) and ".venv" not in path.parts
    }

    assert tested == set(suite.PARTS.values()) - {REPOSITORY / "tests" / "repository"}
