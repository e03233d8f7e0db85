import math
import time
from argparse import ArgumentTypeError
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from products import selectors
from products.api.batches import batches
from products.api.exported import ExportRow, bodies_of, csv_lines, json_array
from products.models import CURRENCIES, BulkOperation
from products.services.bulk import operations, running
from products.services.imports.receiving import FileOptions, receive_file
from servicekit.http.identifiers import parse_id
from servicekit.http.problems import Problem

LISTED = 50
PAUSE_SECONDS = 0.1
FORMATS = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}


def operation_id(text: str) -> UUID:
    try:
        return parse_id(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no id; `bulk_operations list` shows them") from error


class Command(BaseCommand):
    help = (
        "Look at the changes of many products that staff asked for; do, stop or undo them. "
        "Import and export products."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help=f"the newest {LISTED} operations")
        run = actions.add_parser("run", help="do what waits, as the worker does by itself")
        run.add_argument("--seconds", type=float, default=math.inf, help="at most this long")
        for name, text in (("cancel", "stop it"), ("undo", "put back what it changed")):
            actions.add_parser(name, help=text).add_argument("operation", type=operation_id)

        read = actions.add_parser("import", help="make or change products from a file")
        read.add_argument("file", type=Path, help="CSV, a JSON array (.json) or JSON lines")
        read.add_argument("--currency", choices=CURRENCIES, default="", help="where none is named")
        read.add_argument("--dry-run", action="store_true", help="look, and change nothing")
        write = actions.add_parser("export", help="write every product to the standard output")
        write.add_argument("--json", action="store_true", help="as a JSON array")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(**options)
        except Problem as refusal:
            raise CommandError(str(refusal.detail)) from refusal

    def _list(self, **_options: Any) -> None:
        for operation in selectors.list_bulk_operations().order_by("-id")[:LISTED]:
            self._line(operation)

    def _run(self, *, seconds: float, **_options: Any) -> None:
        deadline = time.monotonic() + seconds
        count = 0
        while operations.has_unfinished() and time.monotonic() < deadline:
            # It comes back early while a worker has the operation.
            count += running.run_unfinished(seconds=deadline - time.monotonic(), batches=batches())
            time.sleep(PAUSE_SECONDS)
        self.stdout.write(f"{count} batches done.")

    def _cancel(self, *, operation: UUID, **_options: Any) -> None:
        operations.cancel_operation(operation_id=operation)
        self.stdout.write(f"{operation} is cancelled.")

    def _undo(self, *, operation: UUID, **_options: Any) -> None:
        self._line(operations.undo_operation(operation_id=operation))

    def _import(self, *, file: Path, currency: str, dry_run: bool, **_options: Any) -> None:
        kind = FORMATS.get(file.suffix.lower(), "csv")
        options = FileOptions(format=kind, currency=currency, dry_run=dry_run)
        with file.open("rb") as opened:
            size = file.stat().st_size
            self._line(receive_file(read=opened.read, size=size, options=options))

    def _export(self, *, json: bool, **_options: Any) -> None:
        rows = selectors.list_products().values(*ExportRow.columns())
        as_csv = partial(csv_lines, attributes=selectors.attribute_keys())
        for part in (json_array if json else as_csv)(bodies_of(rows)):
            self.stdout.write(part.decode(), ending="")

    def _line(self, operation: BulkOperation) -> None:
        counts = f"{operation.done} of {operation.total or '?'}, {operation.failed} failed"
        self.stdout.write(
            f"{operation.pk}  {operation.kind:<14} {operation.state:<10} {counts} {operation.error}"
        )
