"""Products as a file has them, read from the database while it is written."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.db.models import QuerySet
from rest_framework import serializers

from products.api.attributes.attribute_serializers import AttributesField
from products.api.translation_serializers import ProductTranslationsField
from products.file_cells import COLUMNS, escaped
from products.services.imports.columns import TRANSLATED
from servicekit.http.fields import AmountField
from servicekit.http.serializers import RowSerializer

ROWS_AT_ONCE = 1000


class ExportRow(RowSerializer):
    """A product as a file has it: what an import takes."""

    sku = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    price = AmountField()
    compare_at_price = AmountField(allow_null=True)
    currency = serializers.CharField()
    stock = serializers.IntegerField()
    low_stock_threshold = serializers.IntegerField()
    active = serializers.BooleanField()
    category = serializers.CharField(source="category.slug", allow_null=True)
    translations = ProductTranslationsField()
    attributes = AttributesField()


def bodies_of(rows: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    """Yield the body of each row of `values(*ExportRow.columns())`.

    By a cursor of the server: a part of them is in memory.
    """
    return map(ExportRow.body, rows.order_by("id").iterator(chunk_size=ROWS_AT_ONCE))


class _Line:
    """What csv writes to: it keeps the line that was written last."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        """Keep the line."""
        self.text = text


def csv_lines(
    bodies: Iterable[Mapping[str, Any]], *, attributes: Sequence[str] = ()
) -> Iterator[bytes]:
    """Yield a CSV file line by line, with a column for each of these attributes."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow([*COLUMNS, *TRANSLATED, *(f"attribute:{key}" for key in attributes)])
    yield line.text.encode()
    for body in bodies:
        wordings = [_wording(body, *column.split(":")) for column in TRANSLATED]
        values = [body["attributes"].get(key, "") for key in attributes]
        cells = [*(body[name] for name in COLUMNS), *wordings, *values]
        writer.writerow([_cell(cell) for cell in cells])
        yield line.text.encode()


def _wording(body: Mapping[str, Any], name: str, language: str) -> str:
    text: str = body["translations"].get(language, {}).get(name, "")
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escaped(value) if isinstance(value, str) else value


def json_array(bodies: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield a JSON array, element by element."""
    separator = b"[\n"
    for body in bodies:
        yield separator + orjson.dumps(body)
        separator = b",\n"
    yield b"\n]\n" if separator == b",\n" else b"[]\n"
