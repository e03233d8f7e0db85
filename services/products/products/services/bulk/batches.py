"""A batch of products: locked in id order; changed, recorded and published by one statement.

Orders lock products in the same order (services/reservations.py), so neither waits for the other in
a circle; a batch is short, so that a purchase waits for milliseconds only.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import QuerySet
from uuid_utils.compat import uuid7

from products.events import ProductChanged
from products.models import BulkChange, BulkOperation, Product
from products.services.bulk import decisions
from products.services.bulk.decisions import Candidate, Decide
from products.services.bulk.outcomes import LeftAlone, Outcome
from products.services.product_states import STATE, STATE_COLUMNS

#: Products of one transaction: a purchase of one of them waits for its end.
BATCH = 300
FIRST = UUID(int=0)
CANDIDATE_COLUMNS = tuple(column.name for column in fields(Candidate))
Matching = Callable[[Mapping[str, Any]], QuerySet[Product]]
Kind = BulkOperation.Kind
DECISIONS = {
    Kind.CHANGE_PRICES: decisions.change_price,
    Kind.ACTIVATE: decisions.activate,
    Kind.DEACTIVATE: decisions.deactivate,
}
# Old and new values are recorded by the statement that changes them: undo needs both. It writes the
# events, too: to read whole products and to write their states in Python takes three times the CPU
# time. The products were locked before, so a category whose rename was waited for has its new name.
CHANGE = f"""
    WITH change AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(changes)s::json) AS each (
            id uuid, event_id uuid, price_before numeric, price_after numeric,
            active_before boolean, active_after boolean
        )
    ), kept AS (
        INSERT INTO bulk_change (operation_id, product_id, price_before, price_after,
                                 active_before, active_after)
        SELECT %(operation)s, id, price_before, price_after, active_before, active_after
        FROM change
    ), changed AS (
        UPDATE product SET price = price_after, active = active_after, version = version + 1,
            updated_at = statement_timestamp()
        FROM change WHERE product.id = change.id
        RETURNING event_id, {", ".join(f"product.{name}" for name in STATE_COLUMNS)}
    )
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at, attempts,
                        last_error)
    SELECT event_id, %(type)s, changed.id, version, convert_to(({STATE})::text, 'UTF8'), '',
           clock_timestamp(), 0, ''
    FROM changed LEFT JOIN category ON category.id = category_id
    ORDER BY changed.id
"""  # noqa: S608 - constants


def change_products(operation: BulkOperation, *, matching: Matching) -> Outcome:
    """Change the next products of an operation, which is locked; move it past them.

    `matching` returns the products that a filter names.
    """
    rows = matching(operation.parameters["filter"])
    if operation.total is None:
        operation.total = rows.count()
    products = _lock(rows.filter(pk__gt=operation.last_id or FIRST))
    decide = DECISIONS[Kind(operation.kind)](operation.parameters)
    return _change(operation, products, decide)


def undo_changes(operation: BulkOperation) -> Outcome:
    """Put back the next products of another operation; move this one, which is locked, past
    them.
    """
    rows = BulkChange.objects.filter(operation_id=operation.undoes_id).order_by("product_id")
    if operation.total is None:
        operation.total = rows.count()
    changes = rows.filter(product_id__gt=operation.last_id or FIRST)[:BATCH]
    by_product = {change.product_id: change for change in changes}
    products = _lock(Product.objects.filter(pk__in=by_product))
    return _change(operation, products, decisions.undo(by_product))


def _lock(rows: QuerySet[Product]) -> list[Candidate]:
    # Their keys stay, so ledger rows may refer to them meanwhile.
    locked = rows.select_for_update(no_key=True, of=("self",)).order_by("pk")
    return [Candidate(*row) for row in locked.values_list(*CANDIDATE_COLUMNS)[:BATCH]]


def _change(operation: BulkOperation, products: list[Candidate], decide: Decide) -> Outcome:
    outcome = Outcome(is_last=len(products) < BATCH, done=len(products))
    changes = _decide(products, decide, outcome)
    _record(operation, changes)
    outcome.changed = len(changes)
    if products:
        operation.last_id = products[-1].id
    return outcome


def _decide(products: list[Candidate], decide: Decide, outcome: Outcome) -> list[dict[str, Any]]:
    """Change the products in memory; return what is written of those that changed."""
    found = []
    for product in products:
        price, active = product.price, product.active
        try:
            decide(product)
        except LeftAlone as reason:
            outcome.refuse(reason, product_id=product.id)
            continue
        if (price, active) != (product.price, product.active):
            found.append(
                {
                    "id": product.id,
                    "event_id": uuid7(),
                    "price_before": price,
                    "price_after": product.price,
                    "active_before": active,
                    "active_after": product.active,
                }
            )
    return found


def _record(operation: BulkOperation, changes: list[dict[str, Any]]) -> None:
    if not changes:
        return
    parameters: dict[str, Any] = {
        "changes": orjson.dumps(changes, default=str).decode(),
        "operation": operation.pk,
        "type": ProductChanged.type,
    }
    with connection.cursor() as cursor:
        cursor.execute(CHANGE, parameters)
