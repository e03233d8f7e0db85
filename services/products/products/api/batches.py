"""How the worker does bulk operations: their filters are the API's, and so is a line of a file."""

from collections.abc import Mapping
from functools import partial

from products.api.filters import list_matching
from products.api.serializers import ProductCreate
from products.models import BulkOperation
from products.services.bulk.batches import DECISIONS, change_products, undo_changes
from products.services.bulk.running import RunBatch
from products.services.imports.lines import import_lines

Kind = BulkOperation.Kind


def batches() -> Mapping[str, RunBatch]:
    """Return how a batch of each kind of operation is done."""
    # One serializer for all lines: to make it costs more than to use it. Which members a new
    # product needs is looked at when it is known whether it is new.
    serializer = ProductCreate(partial=True)
    return {
        **dict.fromkeys(DECISIONS, partial(change_products, matching=list_matching)),
        Kind.UNDO: undo_changes,
        Kind.IMPORT: partial(import_lines, validate=serializer.run_validation),
    }
