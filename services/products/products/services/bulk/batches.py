"""A batch of a change of products: locked in id order, changed and recorded by one statement.

Orders lock products in the same order (services/reservations.py), so neither waits for the other in
a circle; a batch is short, so that a purchase waits for milliseconds only.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from products import selectors
from products.models import BulkChange, BulkOperation, Category, Product
from products.services.bulk import decisions
from products.services.bulk.decisions import Decide
from products.services.bulk.outcomes import LeftAlone, Outcome
from products.services.product_states import state_of
from servicekit.messaging.outbox import publish_many

#: Products of one transaction. Orders' events wait behind those of one batch at most.
BATCH = 200
FIRST = UUID(int=0)
Kind = BulkOperation.Kind
DECISIONS = {
    Kind.CHANGE_PRICES: decisions.change_price,
    Kind.ACTIVATE: decisions.activate,
    Kind.DEACTIVATE: decisions.deactivate,
}
# Old and new values are recorded by the statement that changes them: undo needs both. Arrays, since
# the ORM would write a CASE over all rows.
CHANGE = """
    WITH change AS MATERIALIZED (
        SELECT * FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::boolean[], %s::boolean[])
            AS t (product_id, price_before, price_after, active_before, active_after)
    ), changed AS (
        UPDATE product SET price = price_after, active = active_after, version = version + 1,
            updated_at = statement_timestamp()
        FROM change WHERE product.id = product_id
    )
    INSERT INTO bulk_change (operation_id, product_id, price_before, price_after, active_before,
                             active_after)
    SELECT %s, change.* FROM change
"""


class _Changed(NamedTuple):
    """A product as it is after its change, and what was changed of it."""

    product: Product
    price_before: Decimal
    active_before: bool


def change_products(operation: BulkOperation) -> Outcome:
    """Change the next products of an operation, which is locked; move it past them."""
    rows = _products_of(operation)
    if operation.total is None:
        operation.total = rows.count()
    products = _lock_next(rows, operation.last_id or FIRST)
    outcome = Outcome(is_last=len(products) < BATCH, done=len(products))
    changed = _decide(products, _decision_of(operation, products), outcome)
    _record(operation, changed)
    outcome.changed = len(changed)
    if products:
        operation.last_id = products[-1].pk
    return outcome


def _products_of(operation: BulkOperation) -> QuerySet[Product]:
    if operation.kind == Kind.UNDO:
        changes = BulkChange.objects.filter(operation_id=operation.undoes_id)
        return Product.objects.filter(pk__in=changes.values("product_id"))
    return selectors.list_matching(**operation.parameters["filter"])


def _lock_next(rows: QuerySet[Product], last_id: UUID) -> list[Product]:
    # Their keys stay, so ledger rows may refer to them meanwhile.
    locked = rows.select_for_update(no_key=True, of=("self",))
    return list(locked.filter(pk__gt=last_id).order_by("pk")[:BATCH])


def _decision_of(operation: BulkOperation, products: list[Product]) -> Decide:
    if operation.kind != Kind.UNDO:
        return DECISIONS[Kind(operation.kind)](operation.parameters)
    ids = [product.pk for product in products]
    changes = BulkChange.objects.filter(operation_id=operation.undoes_id, product_id__in=ids)
    return decisions.undo({change.product_id: change for change in changes})


def _decide(products: list[Product], decide: Decide, outcome: Outcome) -> list[_Changed]:
    """Change the products in memory; return those that changed."""
    found = []
    for product in products:
        price, active = product.price, product.active
        try:
            decide(product)
        except LeftAlone as reason:
            outcome.refuse(reason, product_id=product.pk)
            continue
        if (price, active) != (product.price, product.active):
            product.version += 1
            found.append(_Changed(product, price, active))
    return found


def _record(operation: BulkOperation, changed: list[_Changed]) -> None:
    if not changed:
        return
    columns: list[list[Any]] = [
        [each.product.pk for each in changed],
        [each.price_before for each in changed],
        [each.product.price for each in changed],
        [each.active_before for each in changed],
        [each.product.active for each in changed],
    ]
    with connection.cursor() as cursor:
        cursor.execute(CHANGE, [*columns, operation.pk])
    products = [each.product for each in changed]
    categories = _categories_of(products)
    publish_many(
        state_of(product, categories[product.category_id] if product.category_id else None)
        for product in products
    )


def _categories_of(products: list[Product]) -> Mapping[UUID, Category]:
    """Read after the products were locked: a rename that was waited for shows its new name."""
    return Category.objects.in_bulk({each.category_id for each in products if each.category_id})
