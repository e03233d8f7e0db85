"""A file on its way in: decoded, cut into pieces of one size, and kept until it was imported.

Each piece is a transaction of its own: a slow client holds no transaction open. The operation comes
last; what a client that went away has left is purged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from products.models import BulkOperation, ImportChunk
from products.services.bulk.operations import check_room
from products.services.imports.columns import DELIMITERS, Columns, columns_of
from products.services.imports.decoding import Decoder
from products.services.imports.records import Place, Record, read_csv
from servicekit.http.problems import InvalidInput

#: Read at once from the client, and kept in a row.
PIECE_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
Read = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What is said of a file: its format (csv, json or ndjson), and what else it would take to
    guess.
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    #: Of the lines that name none.
    currency: str = ""
    dry_run: bool = False
    #: Whether a line may make a product cost nothing.
    allow_free: bool = False


def receive_file(
    *, read: Read, size: int, options: FileOptions, by: UUID | None = None
) -> BulkOperation:
    """Keep a file of `size` bytes, of which `read` returns at most as many as it is told; queue it.

    Raises:
        InvalidInput: it ends early, is empty, or has no header that we know.
        TooManyOperations: twenty have not ended.
    """
    check_room()
    file_id = uuid7()
    try:
        return _queue(file_id, _store(file_id, read, size, options), options, by)
    except InvalidInput:
        ImportChunk.objects.filter(operation_id=file_id).delete()
        raise


def pieces_from(file_id: UUID, offset: int) -> Iterator[bytes]:
    """Yield a file from a byte on, in pieces that are read when they are asked for."""
    number, inner = divmod(offset, CHUNK_BYTES)
    rows = ImportChunk.objects.filter(operation_id=file_id)
    while (row := rows.filter(number=number).values_list("data", flat=True).first()) is not None:
        yield bytes(row)[inner:]
        number, inner = number + 1, 0


def _store(file_id: UUID, read: Read, size: int, options: FileOptions) -> Decoder:
    decoder, kept, number, left = Decoder(options.encoding), bytearray(), 0, size
    while left:
        piece = read(min(PIECE_BYTES, left))
        if not piece:
            raise InvalidInput("The body ended before its Content-Length.")
        left -= len(piece)
        kept += decoder.decode(piece, is_last=not left).encode()
        while len(kept) >= CHUNK_BYTES or (kept and not left):
            ImportChunk.objects.create(
                operation_id=file_id, number=number, data=bytes(kept[:CHUNK_BYTES])
            )
            del kept[:CHUNK_BYTES]
            number += 1
    return decoder


def _queue(file_id: UUID, decoder: Decoder, options: FileOptions, by: UUID | None) -> BulkOperation:
    head = next(pieces_from(file_id, 0), b"")
    parameters: dict[str, Any] = {
        "format": options.format,
        "encoding": decoder.encoding or "ascii",
        "has_unreadable_text": decoder.has_replaced,
        "dry_run": options.dry_run,
        "currency": options.currency or None,
        "allow_free": options.allow_free,
    }
    start = _array_start(head) if options.format == "json" else Place()
    if options.format == "csv":
        delimiter, columns, start = _header(head, options.delimiter)
        parameters |= {
            "delimiter": delimiter,
            "columns": columns.members,
            "ignored_columns": columns.ignored,
            "is_retail": columns.is_retail,
        }
    check_room()
    return BulkOperation.objects.create(
        id=file_id,
        kind=BulkOperation.Kind.IMPORT,
        parameters=parameters,
        by=by,
        position=start.offset,
        line=start.line,
    )


def _array_start(head: bytes) -> Place:
    if not head.lstrip().startswith(b"["):
        raise InvalidInput("The file is a JSON array of objects.")
    return Place(head.index(b"[") + 1, 0)


def _header(head: bytes, delimiter: str) -> tuple[str, Columns, Place]:
    """Return delimiter and columns of the first line, and where the next begins.

    Of all delimiters the one is right by which most columns are ours.
    """
    choice = [delimiter] if delimiter else DELIMITERS
    tries = [(each, *_first_record(head, each)) for each in choice]
    found, cells, following = max(tries, key=lambda each: columns_of(each[1]).known)
    columns = columns_of(cells)
    if columns.repeated:
        raise InvalidInput(f"Two columns are the same: {', '.join(columns.repeated)}.")
    if not {"sku", "slug"} & set(columns.members):
        raise InvalidInput("The first line names the columns; a sku or a slug must be among them.")
    return found, columns, following


def _first_record(head: bytes, delimiter: str) -> tuple[list[str], Place]:
    def source(offset: int) -> Iterator[bytes]:
        yield head[offset:]

    records: Iterator[Record] = read_csv(source, Place(), delimiter=delimiter)
    for record in islice(records, 1):
        if record.content is not None:
            return record.content, record.next
    return [], Place()
