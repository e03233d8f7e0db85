"""A batch of a change of products: locked in id order, changed and recorded by one statement.

Orders lock products in the same order (services/reservations.py), so neither waits for the other in
a circle; a batch is short, so that a purchase waits for milliseconds only.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from products.models import BulkChange, BulkOperation, Category, Product
from products.services.bulk import decisions
from products.services.bulk.decisions import Decide
from products.services.bulk.outcomes import LeftAlone, Outcome
from products.services.product_states import state_of
from servicekit.messaging.outbox import publish_many

#: Products of one transaction. Orders' events wait behind those of one batch at most.
BATCH = 200
FIRST = UUID(int=0)
#: Neither decided by nor published, and the first is as long as all the others together.
UNREAD = ("document", "created_at", "updated_at")
Matching = Callable[[Mapping[str, Any]], QuerySet[Product]]
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


def _lock(rows: QuerySet[Product]) -> list[Product]:
    # Their keys stay, so ledger rows may refer to them meanwhile.
    locked = rows.select_for_update(no_key=True, of=("self",)).defer(*UNREAD)
    return list(locked.order_by("pk")[:BATCH])


def _change(operation: BulkOperation, products: list[Product], decide: Decide) -> Outcome:
    outcome = Outcome(is_last=len(products) < BATCH, done=len(products))
    changed = _decide(products, decide, outcome)
    _record(operation, changed)
    outcome.changed = len(changed)
    if products:
        operation.last_id = products[-1].pk
    return outcome


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
