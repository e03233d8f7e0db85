"""A batch of a file's lines: each valid line makes its product, or changes it.

A line's product is the one with its SKU, else with its slug, else a new one. Of several lines about
one product the first valid line counts: another that says the same is repeated, and one that says
something else is reported and changes nothing, since a file that contradicts itself has no last
word. A dry run does all of it, and takes it back.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError

from products.models import Attribute, BulkOperation
from products.services.bulk.outcomes import LeftAlone, Outcome
from products.services.imports.columns import members_of, typed
from products.services.imports.decoding import REPLACEMENT
from products.services.imports.products import write_products
from products.services.imports.receiving import pieces_from
from products.services.imports.records import (
    Place,
    Record,
    read_csv,
    read_json_array,
    read_json_lines,
)
from products.services.imports.seen import Candidate, Seen
from servicekit.http.problems import field_errors

#: Lines of one transaction: each may be a product that is made or changed by itself.
BATCH = 100
#: As tools/demo knows the codes of Online Retail: the others are postage, fees and corrections.
RETAIL_CODE = re.compile(r"\d{5}[A-Za-z]{0,3}|(?:DCGS|SP)[0-9A-Za-z]{1,12}", re.ASCII)
WORD = re.compile(r"[^\W_]")
MAX_KEY = 110
Parameters = Mapping[str, Any]
Validate = Callable[[dict[str, Any]], dict[str, Any]]


def import_lines(operation: BulkOperation, *, validate: Validate) -> Outcome:
    """Import the next lines of an operation, which is locked; move it past them.

    `validate` returns a product's members as the API would take them, or raises DRF's
    ValidationError.
    """
    records = list(islice(_records(operation), BATCH))
    outcome = Outcome(is_last=len(records) < BATCH, done=len(records))
    _import(operation, records, outcome, validate)
    if records:
        operation.position, operation.line = records[-1].next.offset, records[-1].next.line
    if outcome.is_last:
        operation.total = operation.done + outcome.done
    return outcome


def _import(
    operation: BulkOperation, records: list[Record], outcome: Outcome, validate: Validate
) -> None:
    parameters = operation.parameters
    candidates = list(_candidates(records, parameters, outcome))
    seen = Seen(operation, {key for each in candidates for key in each.keys})
    valid = [each for each in candidates if _is_valid(each, seen, parameters, outcome, validate)]
    with transaction.atomic():
        write_products(valid, outcome, seen, allow_free=parameters["allow_free"], by=operation.by)
        if parameters["dry_run"]:
            transaction.set_rollback(True)
    seen.remember()


def _records(operation: BulkOperation) -> Iterator[Record]:
    parameters = operation.parameters
    place = Place(operation.position, operation.line)

    def source(offset: int) -> Iterator[bytes]:
        return pieces_from(operation.pk, offset)

    if parameters["format"] == "csv":
        return read_csv(source, place, delimiter=parameters["delimiter"])
    if parameters["format"] == "json":
        return read_json_array(source, place)
    return read_json_lines(source, place)


def _candidates(
    records: list[Record], parameters: Parameters, outcome: Outcome
) -> Iterator[Candidate]:
    """Yield the records that name a product; count the others."""
    types = dict(Attribute.objects.values_list("key", "type"))
    for record in records:
        try:
            yield _candidate(record, parameters, types)
        except LeftAlone as reason:
            outcome.refuse(reason, line=record.line)


def _candidate(record: Record, parameters: Parameters, types: Mapping[str, str]) -> Candidate:
    if record.fault:
        raise record.fault
    content, columns = record.content, ()
    if parameters["format"] == "csv":
        columns = parameters["columns"][: len(content)]
        content = members_of(content, parameters["columns"])
        if "attributes" in content:
            content["attributes"] = typed(content["attributes"], types)
    if parameters["currency"]:
        content.setdefault("currency", parameters["currency"])
    names = [name for name in ("sku", "slug") if isinstance(content.get(name), str)]
    # A little longer than a key may be: so long is none of a product.
    keys = [f"{name}:{content[name]}"[:MAX_KEY] for name in names if content[name]]
    if not keys:
        raise LeftAlone("no_key", "A line needs a sku or a slug.")
    text = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.blake2b(text, digest_size=16).digest()
    return Candidate(record.line, content, keys, digest, columns)


def _is_valid(
    candidate: Candidate,
    seen: Seen,
    parameters: Parameters,
    outcome: Outcome,
    validate: Validate,
) -> bool:
    """Return whether a line is to be written: it is new in the file, and what the API would take.

    Its content is then the validated members. Others are counted.
    """
    try:
        if seen.is_repeated(candidate):
            outcome.repeated += 1
            return False
        _check(candidate.content, parameters)
        candidate.content = _validated(candidate.content, validate)
    except LeftAlone as reason:
        outcome.refuse(reason, line=candidate.line)
        return False
    return True


def _check(content: dict[str, Any], parameters: Parameters) -> None:
    """Look for what no serializer knows."""
    name, sku = content.get("name"), content.get("sku")
    if parameters.get("is_retail") and not RETAIL_CODE.fullmatch(str(sku)):
        detail = "A code of postage, fees or corrections, and no product."
        raise LeftAlone("not_a_product", detail, "/sku")
    if isinstance(name, str) and name.strip() and not WORD.search(name):
        raise LeftAlone("not_a_name", "A name has a letter or a digit.", "/name")
    if parameters["has_unreadable_text"] and REPLACEMENT in str(content):
        detail = f"It holds bytes that are not {parameters['encoding']}."
        raise LeftAlone("unreadable_text", detail)


def _validated(content: dict[str, Any], validate: Validate) -> dict[str, Any]:
    try:
        return validate(content)
    except ValidationError as error:
        raise LeftAlone.for_reasons(list(field_errors(error.detail))) from error
