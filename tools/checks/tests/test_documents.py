"""A document is written when it differs, and only compared where that is asked for."""

from pathlib import Path

import pytest

from checks import documents


def test_document_that_differs_is_written(tmp_path: Path) -> None:
    committed = tmp_path / "users.json"
    committed.write_text("{}\n")

    assert documents.settle('{"a": 1}', committed, only_compares=False)

    assert committed.read_text() == '{"a": 1}\n'


def test_document_that_differs_is_told_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = tmp_path / "users.json"
    committed.write_text("{}\n")

    assert not documents.settle('{"a": 1}', committed, only_compares=True)

    assert committed.read_text() == "{}\n"
    assert "users.json is out of date" in capsys.readouterr().out


def test_missing_document_is_out_of_date(tmp_path: Path) -> None:
    assert not documents.settle("{}", tmp_path / "missing.json", only_compares=True)
    assert not (tmp_path / "missing.json").exists()


@pytest.mark.parametrize("fresh", ["{}", "{}\n", "{}\n\n"])
def test_same_document_is_left(tmp_path: Path, fresh: str) -> None:
    committed = tmp_path / "users.json"
    committed.write_text("{}\n")
    committed.chmod(0o444)

    assert documents.settle(fresh, committed, only_compares=True)
    assert documents.settle(fresh, committed, only_compares=False)
