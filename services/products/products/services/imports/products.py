"""The products of a batch of lines: found, then made or changed as the API would.

What differs is locked first, categories and then products, each in the order of ids, as everywhere
else: who waits for one another never does so in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from products.errors import CategoryGone
from products.models import Category, Product
from products.services.bulk.outcomes import LeftAlone, Outcome
from products.services.categories import lock_category
from products.services.imports.columns import beside
from products.services.imports.seen import Candidate, Seen
from products.services.products import create_product, edit_product
from servicekit.http.problems import Problem

REQUIRED = ("name", "price", "currency")
#: Of a product that is there a file says no stock: purchases and the ledger do.
ONLY_OF_NEW = frozenset({"stock"})


@dataclass(slots=True)
class _Found:
    """The products that lines name, by SKU and by slug."""

    by_sku: Mapping[str, Product]
    by_slug: Mapping[str, Product]

    def of(self, members: Mapping[str, Any]) -> Product | None:
        return self.by_sku.get(members.get("sku") or "") or self.by_slug.get(
            members.get("slug") or ""
        )


def write_products(
    candidates: Sequence[Candidate],
    outcome: Outcome,
    seen: Seen,
    *,
    allow_free: bool,
    by: UUID | None,
) -> None:
    """Make or change the product of each line, and count it; note the lines that count."""
    found = _find(candidates)
    _lock(candidates, found)
    for candidate in candidates:
        try:
            if seen.is_repeated(candidate):
                outcome.repeated += 1
                continue
            _write(candidate, found, outcome, allow_free=allow_free, by=by)
            seen.add(candidate)
        except LeftAlone as reason:
            outcome.refuse(reason, line=candidate.line)
        except Problem as refusal:
            outcome.refuse(_reason(refusal), line=candidate.line)


def _write(
    candidate: Candidate, found: _Found, outcome: Outcome, *, allow_free: bool, by: UUID | None
) -> None:
    members = candidate.content
    product = found.of(members)
    changes = _changes(product, candidate)
    _check(product, changes, members, allow_free=allow_free)
    if product is None:
        create_product(**members, by=by)
        outcome.created += 1
    elif changes:
        edit_product(product_id=product.pk, changes=changes)
        outcome.changed += 1


def _find(candidates: Iterable[Candidate]) -> _Found:
    skus = {each.content.get("sku") for each in candidates} - {None, ""}
    slugs = {each.content.get("slug") for each in candidates} - {None, ""}
    rows = Product.objects.filter(Q(sku__in=skus) | Q(slug__in=slugs), deleted_at__isnull=True)
    products = list(rows.select_related("category"))
    return _Found(
        {product.sku: product for product in products if product.sku},
        {product.slug: product for product in products},
    )


def _lock(candidates: Iterable[Candidate], found: _Found) -> None:
    """Lock what will change, before any of it does."""
    categories: dict[UUID, Category] = {}
    changing: set[UUID] = set()
    for candidate in candidates:
        product = found.of(candidate.content)
        changes = _changes(product, candidate)
        if product and changes:
            changing.add(product.pk)
        if category := (changes.get("category") if product else candidate.content.get("category")):
            categories[category.pk] = category
    for key in sorted(categories):
        # Its lines are told when they are written.
        with suppress(CategoryGone):
            lock_category(categories[key])
    rows = Product.objects.filter(pk__in=changing).order_by("pk")
    list(rows.select_for_update().values_list("pk"))


def _changes(product: Product | None, candidate: Candidate) -> dict[str, Any]:
    if product is None:
        return {}
    return {
        name: value
        for name, value in beside(product, candidate.content, candidate.columns).items()
        if name not in ONLY_OF_NEW and getattr(product, name) != value
    }


def _check(
    product: Product | None,
    changes: Mapping[str, Any],
    members: Mapping[str, Any],
    *,
    allow_free: bool,
) -> None:
    missing = [name for name in REQUIRED if name not in members] if product is None else []
    if missing:
        raise LeftAlone.for_reasons(
            [
                {"pointer": f"/{name}", "code": "required", "detail": "A new product needs it."}
                for name in missing
            ]
        )
    price = (members if product is None else changes).get("price")
    if price == 0 and not allow_free:
        raise LeftAlone("free", "It would cost nothing; allow_free=true allows that.", "/price")


def _reason(refusal: Problem) -> LeftAlone:
    errors = refusal.members.get("errors")
    if errors:
        return LeftAlone.for_reasons(errors)
    return LeftAlone(refusal.code, str(refusal.detail))
