"""What a file is packed in: broken, hostile or foreign packing is refused in one sentence."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from demo import tables
from demo.lines import NotRetailFile, parse_retail

EDITIONS = Path(__file__).parent / "editions"
CSV = (EDITIONS / "online-retail.csv").read_bytes()


def zipped(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def edited_workbook(old, new):
    with zipfile.ZipFile(EDITIONS / "online-retail.xlsx") as archive:
        return zipped({name: archive.read(name).replace(old, new) for name in archive.namelist()})


def test_members_in_other_columns_are_passed_over():
    file = parse_retail(
        zipped({"licence.txt": b"CC BY 4.0\n", "week.csv": CSV, "week2.csv.gz": gzip.compress(CSV)})
    )

    assert file.records == 14


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(CSV)[:-9],
        b"PK\x03\x04" + bytes(50),
        b"\xd0\xcf\x11\xe0" + bytes(50),
        zipped({}),
        zipped({"licence.txt": b"CC BY 4.0\n"}),
        edited_workbook(b"<v>2.55</v>", b"<v>x</v>"),
        edited_workbook(b"</sheetData>", b"</sheet"),
    ],
    ids=[
        "torn gz",
        "torn zip",
        "xls",
        "empty zip",
        "foreign zip",
        "workbook's number",
        "workbook's end",
    ],
)
def test_what_cannot_be_unpacked_is_refused(content):
    with pytest.raises(NotRetailFile):
        parse_retail(content)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped({"week.csv": data}), bytes])
def test_more_than_may_be_unpacked_is_refused(pack, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 1 << 20)

    with pytest.raises(NotRetailFile, match="more than 1 MiB"):
        parse_retail(pack(CSV + CSV.splitlines(keepends=True)[1] * 20_000))


def test_line_without_an_end_is_no_table():
    with pytest.raises(NotRetailFile, match="no table"):
        parse_retail(CSV + b"a" * 100_000)
