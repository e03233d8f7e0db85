"""How the worker does bulk operations: a line of a file is what the API takes of a new product."""

from collections.abc import Mapping
from functools import partial

from products.api.serializers import ProductCreate
from products.models import BulkOperation
from products.services.bulk.running import PRODUCT_CHANGES, RunBatch
from products.services.imports.lines import import_lines


def batches() -> Mapping[str, RunBatch]:
    """Return how a batch of each kind of operation is done."""
    # One serializer for all lines: to make it costs more than to use it. Which members a new
    # product needs is looked at when it is known whether it is new.
    serializer = ProductCreate(partial=True)
    read_file = partial(import_lines, validate=serializer.run_validation)
    return {**PRODUCT_CHANGES, BulkOperation.Kind.IMPORT: read_file}
