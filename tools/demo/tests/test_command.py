"""The command's exit code: having used nothing of a file is no success."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1]
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (HEADER, 1, "nothing in the file could be used"),
        (HEADER + "1,85123A,HEART,6,yesterday,2.55,17850,UK\n", 1, "line 2: not a date"),
        (
            HEADER + "1,POST,POSTAGE,6,12/1/2010,2.55,17850,UK\n",
            1,
            "nothing in the file could be used",
        ),
        ("a,b\n1,2\n", 2, "the editions that are known"),
        ("", 2, "it is empty"),
    ],
)
def test_file_of_which_nothing_is_used_is_no_success(tmp_path, content, code, says):
    file = tmp_path / "file.csv"
    file.write_text(content)
    command = [sys.executable, str(DEMO), "--file", str(file), "--state", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert says in done.stdout + done.stderr
    assert "already" not in done.stdout
