"""Files of products over HTTP, for staff: taken in as they come, given out as they are read."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse, UnreadablePostError
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as drf
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import search, selectors
from products.api.bulk_serializers import BulkOperationRead
from products.api.exported import ExportRow, bodies_of, csv_lines, json_array
from products.api.filters import WholeFilterSet
from products.api.permissions import EditsCatalogue
from products.api.serializers import ProductCreate
from products.models import CURRENCIES, Product
from products.services.imports.decoding import ENCODINGS
from products.services.imports.receiving import PIECE_BYTES, FileOptions, receive_file
from servicekit.auth.authentication import caller_of
from servicekit.http import media_types
from servicekit.http.filters import StrictFilterBackend
from servicekit.http.problems import InvalidInput, TooLarge
from servicekit.http.serializers import StrictSerializer
from servicekit.http.viewsets import StrictViewSetMixin

MAX_FILE_BYTES = 50 * 1024 * 1024
FORMATS = {"text/csv": "csv", "application/json": "json", "application/x-ndjson": "ndjson"}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
FLAGS = {"true": True, "false": False}


class ImportOptions(StrictSerializer):
    """What is said of a file beside it."""

    dry_run = drf.ChoiceField(
        choices=list(FLAGS), default="false", help_text="Look at every line and change nothing."
    )
    currency = drf.ChoiceField(
        choices=CURRENCIES, default="", help_text="Of the lines that name none."
    )
    allow_free = drf.ChoiceField(
        choices=list(FLAGS), default="false", help_text="Lines may set a price of 0."
    )
    encoding = drf.ChoiceField(
        choices=ENCODINGS, default="", help_text="Where it is known; else it is found out."
    )
    delimiter = drf.ChoiceField(
        choices=list(DELIMITERS), default="", help_text="Where it is known; else it is found out."
    )


class ImportViewSet(StrictViewSetMixin, GenericViewSet[Product]):
    """Products from a file."""

    permission_classes = [EditsCatalogue]
    serializer_class = BulkOperationRead
    query_parameters: ClassVar = {"create": frozenset(ImportOptions().fields)}

    def handle_exception(self, exc: Exception) -> Response:
        """Refuse a file after all of it was read.

        The gateway passes it on as it comes: a connection that is closed meanwhile is an outage to
        it, and it would tell the client of that.
        """
        _drop_rest(self.request)
        return super().handle_exception(exc)

    @extend_schema(
        operation_id="import_products",
        parameters=[ImportOptions],
        request={
            "text/csv": OpenApiTypes.STR,
            "application/json": ProductCreate(many=True),
            "application/x-ndjson": OpenApiTypes.STR,
        },
        responses={202: BulkOperationRead},
    )
    def create(self, request: Request) -> Response:
        """Make or change a product for each line of a file; the answer says where its progress is.

        The file is the body, of at most 50 MiB, in CSV, a JSON array, or a JSON object a line.
        """
        options, size = _options(request), _size(request)
        operation = receive_file(
            read=request.stream.read, size=size, options=options, by=caller_of(request).id
        )
        rows = selectors.list_bulk_operations().values(*BulkOperationRead.columns())
        headers = {"Location": f"/api/bulk-operations/{operation.pk}/"}
        return Response(BulkOperationRead.body(rows.get(pk=operation.pk)), 202, headers=headers)


class AnyNegotiation(media_types.JsonNegotiation):
    """The address says what is answered, whatever the client would rather have."""

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        """Return the renderer, which is of problems only."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ExportViewSet(StrictViewSetMixin, GenericViewSet[Product]):
    """Products as a file, read while it is sent; also those that are not for sale."""

    permission_classes = [EditsCatalogue]
    content_negotiation_class = AnyNegotiation
    queryset = selectors.list_products().values(*ExportRow.columns())
    serializer_class = ExportRow
    filterset_class = WholeFilterSet
    pagination_class = None  # type: ignore[assignment]
    query_parameters: ClassVar = dict.fromkeys(
        ("export_csv", "export_json"), frozenset(WholeFilterSet.base_filters)
    )

    @extend_schema(
        operation_id="export_products_as_csv",
        filters=True,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    @action(detail=False, url_path="csv")
    def export_csv(self, request: Request) -> StreamingHttpResponse:
        """The products that the filters leave, as CSV in UTF-8."""
        return self._file(
            partial(csv_lines, attributes=selectors.attribute_keys()),
            "text/csv; charset=utf-8",
            "products.csv",
        )

    @extend_schema(
        operation_id="export_products_as_json",
        filters=True,
        responses={200: ExportRow(many=True)},
    )
    @action(detail=False, url_path="json")
    def export_json(self, request: Request) -> StreamingHttpResponse:
        """The products that the filters leave, as a JSON array."""
        return self._file(json_array, "application/json", "products.json")

    def _file(self, write: Any, content_type: str, name: str) -> StreamingHttpResponse:
        rows: QuerySet[Any] = self.get_queryset()
        with search.planned():
            rows = StrictFilterBackend().filter_queryset(self.request, rows, self)
        content = () if self.request.method == "HEAD" else write(bodies_of(rows))
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def _options(request: Request) -> FileOptions:
    media_type = media_types.parse(request.content_type or "")
    if media_type is None or media_type.name not in FORMATS:
        raise media_types.UnsupportedMediaType(
            f"Send {', '.join(FORMATS)}.", accepts=", ".join(FORMATS)
        )
    if request.META.get("HTTP_CONTENT_ENCODING", "").lower() not in {"", "identity"}:
        raise media_types.UnsupportedEncoding
    asked = ImportOptions(data=request.query_params.dict())
    if not asked.is_valid():
        name, reasons = next(iter(asked.errors.items()))
        raise InvalidInput(f"{name}: {reasons[0]}")
    said = asked.validated_data
    return FileOptions(
        format=FORMATS[media_type.name],
        encoding=said["encoding"],
        delimiter=DELIMITERS.get(said["delimiter"], ""),
        currency=said["currency"],
        dry_run=FLAGS[said["dry_run"]],
        allow_free=FLAGS[said["allow_free"]],
    )


def _size(request: Request) -> int:
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    if size > MAX_FILE_BYTES:
        raise TooLarge(f"At most {MAX_FILE_BYTES >> 20} MiB are read.")
    if not size:
        raise InvalidInput("There is no file in the body.")
    return size


def _drop_rest(request: Request) -> None:
    if int(request.META.get("CONTENT_LENGTH") or 0) <= MAX_FILE_BYTES and request.stream:
        with suppress(UnreadablePostError):
            while request.stream.read(PIECE_BYTES):
                pass
