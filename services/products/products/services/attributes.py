"""Writes to the attributes that products can have, and the check of a product's own."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from products.errors import AttributeInUse, AttributeKeyTaken
from products.models import Attribute, Product
from servicekit.database import violated_constraint
from servicekit.http.problems import InvalidInput, NotFound
from servicekit.operations import cache

#: What JSON has for a value of each type. A boolean is a number to Python, not to us.
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
}
# The ORM has no FOR SHARE, and its FOR UPDATE would let in one product at a time.
LOCK = "SELECT * FROM attribute WHERE key = ANY(%s) ORDER BY key FOR SHARE"


def create_attribute(
    *,
    key: str,
    type: str,
    name: str,
    unit: str = "",
    translations: dict[str, dict[str, str]] | None = None,
) -> Attribute:
    """Create an attribute.

    Raises:
        AttributeKeyTaken: there is one with this key.
    """
    attribute = Attribute(key=key, type=type, name=name, unit=unit, translations=translations or {})
    try:
        with transaction.atomic():
            attribute.save(force_insert=True)
            cache.renew_after_commit()
    except IntegrityError as error:
        if "key" in violated_constraint(error):
            raise AttributeKeyTaken("There is an attribute with this key.") from error
        raise
    return attribute


def edit_attribute(*, attribute_id: UUID, changes: dict[str, Any]) -> None:
    """Change how an attribute is called; key and type stay, for values hold to them.

    Raises:
        NotFound: there is no such attribute.
    """
    with transaction.atomic():
        rows = Attribute.objects.filter(pk=attribute_id)
        if not (rows.update(**changes) if changes else rows.exists()):
            raise NotFound
        cache.renew_after_commit()


def delete_attribute(*, attribute_id: UUID) -> None:
    """Delete an attribute that no product has.

    Raises:
        NotFound: there is no such attribute.
        AttributeInUse: products have it.
    """
    with transaction.atomic():
        attribute = Attribute.objects.select_for_update().filter(pk=attribute_id).first()
        if attribute is None:
            raise NotFound
        # Whoever gives a product a value holds the attribute (`check_attributes`) until it is done.
        key = attribute.key
        if Product.objects.filter(deleted_at__isnull=True, attributes__has_key=key).exists():
            raise AttributeInUse("Take it from the products first.")
        attribute.delete()
        cache.renew_after_commit()


def check_attributes(values: Mapping[str, Any]) -> None:
    """Check a product's values; the attributes they need are there until the transaction ends.

    Raises:
        InvalidInput: naming each value whose attribute is unknown, or of another type.
    """
    if not values:
        return
    known = {each.key: each.type for each in Attribute.objects.raw(LOCK, [list(values)])}
    errors = list(_faults(values, known))
    if errors:
        raise InvalidInput("The input is not valid; errors says where.", errors=errors)


def _faults(values: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for key, value in values.items():
        pointer = f"/attributes/{key}"
        if key not in known:
            detail = "There is no such attribute."
            yield {"pointer": pointer, "code": "unknown_attribute", "detail": detail}
        elif type(value) not in PYTHON_TYPES[known[key]]:
            detail = f"Its values are of the type {known[key]}."
            yield {"pointer": pointer, "code": "wrong_type", "detail": detail}
