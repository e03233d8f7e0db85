"""All checks run and are told apart; what they would run is there."""

import sys
from pathlib import Path

import pytest

from checks import lint
from checks.lint import Check, Outcome
from native.layout import Layout
from souk.checkout import REPOSITORY


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    layout = Layout(tmp_path_factory.mktemp("lint").resolve())
    layout.make()
    return {check.name: check for check in lint.checks(layout)}


def test_check_keeps_code_words_and_name(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['WORD']); sys.exit('no')"
    check = Check("it", [sys.executable, "-c", script], tmp_path, {"WORD": "a"})

    outcome = lint.run_check(check)

    assert (outcome.name, outcome.code) == ("it", 1)
    assert outcome.output == f"{tmp_path} a\nno\n"


def test_words_of_failed_checks_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    lint.print_outcomes([Outcome("good", 0, "all well", 1.0), Outcome("bad", 1, "line 3\n", 2.0)])

    said = capsys.readouterr().out
    assert said.startswith("--- bad\nline 3\n")
    assert "all well" not in said
    assert [line.split()[-1] for line in said.splitlines()[-2:]] == ["ok", "FAILED"]


def test_every_program_and_folder_of_a_check_is_there(checks: dict[str, Check]) -> None:
    assert [name for name, check in checks.items() if not Path(check.command[0]).exists()] == []
    assert [name for name, check in checks.items() if not check.folder.is_dir()] == []


def test_every_dockerfile_is_checked(checks: dict[str, Check]) -> None:
    there = {path for path in REPOSITORY.glob("[dgs]*/**/*Dockerfile") if path.is_file()}

    assert there
    assert there <= set(checks["hadolint"].command)


def test_every_package_of_deploy_and_tools_is_typed(checks: dict[str, Check]) -> None:
    words = set(checks["mypy deploy, tools"].command)

    assert {"souk", "native", "airgap", "checks", "testservers", "demo"} <= words


def test_gateway_is_rendered_for_its_checks(checks: dict[str, Check]) -> None:
    assert Path(checks["gixy"].command[-1]).read_text().count("server {") >= 1


def test_names_select_and_nothing_selected_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lint.run_checks(["ruff format"])
    assert capsys.readouterr().out.split()[:2] == ["ruff", "format"]
    assert not lint.run_checks(["nothing"])
