"""What a file holds, whatever it is packed in: tables of numbered records, read one after the
other.

Text in any delimiter, workbooks (xlsx), and both in zip or gz, are told apart by how they begin,
not by their names. Everything is read as a stream; what unpacks to more than `MAX_BYTES` is
refused, so that a small file cannot fill memory or disk.
"""

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from demo.columns import NotRetailFile, UnknownColumns
from demo.delimited import text_table
from demo.records import Table
from demo.workbook import workbook_tables

MAX_BYTES = 1 << 30
#: Of an archive's members; the set's own archives hold one or two.
MAX_MEMBERS = 100
MAX_DEPTH = 3
MEMORY_BYTES = 16 << 20
ZIP, GZIP, OLD_EXCEL = b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0"
BROKEN = (
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Source:
    """Bytes that can be read more than once; `name` is empty for the file itself."""

    name: str
    open: Callable[[], BinaryIO]

    def start(self) -> bytes:
        with self.open() as stream:
            return stream.read(8)


class _Bounded(io.RawIOBase):
    """Passes a stream on, up to `MAX_BYTES`."""

    def __init__(self, stream: BinaryIO, *below: BinaryIO) -> None:
        self._stream, self._below, self._left = stream, below, MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise NotRetailFile(f"it holds more than {MAX_BYTES >> 20} MiB")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        for stream in (self._stream, *self._below):
            stream.close()
        super().close()


def tables_in(path: Path) -> Iterator[Table]:
    """Yield the tables of a file; each must be read before the next is asked for.

    Raises:
        NotRetailFile: there is none in known columns, or it cannot be unpacked.
        OSError: the file cannot be read.
    """
    yield from tables_of(Source("", lambda: path.open("rb")))


def tables_of(source: Source, depth: int = 0) -> Iterator[Table]:
    """Yield the tables of a source (see `tables_in`)."""
    if depth > MAX_DEPTH:
        raise NotRetailFile("it is packed in itself too often")
    try:
        yield from _unpacked(source, depth)
    except BROKEN as error:
        raise NotRetailFile(f"it cannot be unpacked: {error}") from error


def _unpacked(source: Source, depth: int) -> Iterator[Table]:
    start = source.start()
    if start.startswith(OLD_EXCEL):
        raise NotRetailFile("it is a workbook of the old kind (xls): save it as xlsx or CSV")
    if start.startswith(GZIP):
        yield from tables_of(_gunzipped(source), depth + 1)
    elif start.startswith(ZIP):
        yield from _of_archive(source, depth)
    else:
        yield text_table(source.name, lambda: _bounded(source.open()))


def _gunzipped(source: Source) -> Source:
    def unpack() -> BinaryIO:
        packed = source.open()
        return _bounded(
            cast(BinaryIO, gzip.GzipFile(fileobj=packed)), packed
        )  # which leaves it open

    return Source(source.name, unpack)


def _bounded(stream: BinaryIO, *below: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Bounded(stream, *below), 1 << 16))


def _of_archive(source: Source, depth: int) -> Iterator[Table]:
    with _on_disk(source) as stream, zipfile.ZipFile(stream) as archive:
        _check_sizes(archive)
        if "xl/workbook.xml" in archive.namelist():
            yield from workbook_tables(stream)
            return
        yield from _of_members(archive, depth)


def _on_disk(source: Source) -> BinaryIO:
    """Return the archive as a file that can be read from any place."""
    copy = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115  the caller closes it
    with _bounded(source.open()) as stream:
        shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Members are never read past the size that the archive tells: so what it tells is what must be
    bounded.
    """
    if len(archive.infolist()) > MAX_MEMBERS:
        raise NotRetailFile(f"the archive has more than {MAX_MEMBERS} members")
    if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
        raise NotRetailFile(f"it holds more than {MAX_BYTES >> 20} MiB")


def _of_members(archive: zipfile.ZipFile, depth: int) -> Iterator[Table]:
    """Members in other columns (a licence, a description) are passed over as long as another
    member is in ours.
    """
    unknown: UnknownColumns | None = None
    found = False
    for name in _data_members(archive):
        try:
            for table in tables_of(Source(name, partial(_member, archive, name)), depth + 1):
                found = True
                yield table
        except UnknownColumns as error:
            unknown = error
    if not found:
        raise unknown or NotRetailFile("the archive is empty")


def _member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    return cast(BinaryIO, archive.open(name))


def _data_members(archive: zipfile.ZipFile) -> list[str]:
    return sorted(
        name
        for name in archive.namelist()
        if not name.endswith("/")
        and not name.startswith("__MACOSX/")
        and not Path(name).name.startswith(".")
    )
