"""What the columns of a CSV file are: by their names, in any case, ours or those of others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from products.file_cells import COLUMNS, unescaped
from products.services.bulk.outcomes import LeftAlone

DELIMITERS = (",", ";", "\t", "|")
#: The UCI Online Retail set, and shops that exported like it.
ALIASES = {
    **{name: name for name in COLUMNS},
    "stockcode": "sku",
    "stock_code": "sku",
    "unitprice": "price",
    "unit_price": "price",
    "title": "name",
}
RETAIL_SKU = "stockcode"
MAX_NAMED = 50
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
NUMBER = re.compile(r"-?[0-9]{1,18}")
#: Empty is left out; of the others it is a value, or wrong.
OPTIONAL = frozenset({"slug", "currency", "stock", "low_stock_threshold", "active"})
KEPT_AS_IT_IS = frozenset({"name", "description"})


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: what each is to us ("" for what is not ours), as its header says.

    `is_retail` says that codes are those of a retail system, in which not each is a product.
    """

    members: list[str]
    ignored: list[str]
    is_retail: bool

    @property
    def known(self) -> int:
        """How many are ours."""
        return len(self.members) - self.members.count("")

    @property
    def repeated(self) -> list[str]:
        """Members that two columns claim to be."""
        ours = [name for name in self.members if name]
        return sorted({name for name in ours if ours.count(name) > 1})


def columns_of(header: Sequence[str]) -> Columns:
    """Return what these columns are. A `Description` beside no name is the name, as in retail."""
    names = [unescaped(cell).strip().lower() for cell in header]
    members = [ALIASES.get(name, "") for name in names]
    if "name" not in members:
        members = ["name" if member == "description" else member for member in members]
    ignored = [cell[:100] for cell, member in zip(header, members, strict=True) if not member]
    return Columns(members, ignored[:MAX_NAMED], RETAIL_SKU in names)


def members_of(cells: Sequence[str], members: Sequence[str]) -> dict[str, Any]:
    """Return a product's members as JSON would have them.

    Raises:
        LeftAlone: there are more cells than columns.
    """
    if len(cells) > len(members):
        detail = f"{len(cells)} cells, and {len(members)} columns: is a delimiter unquoted?"
        raise LeftAlone("too_many_cells", detail)
    found: dict[str, Any] = {}
    for cell, name in zip(cells, members, strict=False):
        if name:
            _put(found, name, unescaped(cell))
    return found


def _put(found: dict[str, Any], name: str, text: str) -> None:
    text = text if name in KEPT_AS_IT_IS else text.strip()
    if text or name not in OPTIONAL:
        found[name] = VALUES.get(name, str)(text)


def _number(text: str) -> Any:
    """Return a whole number; what is none stays text, which no serializer takes for a number."""
    return int(text) if NUMBER.fullmatch(text) else text


VALUES: Mapping[str, Any] = {
    "stock": _number,
    "low_stock_threshold": _number,
    "active": lambda text: FLAGS.get(text.lower(), text),
    "compare_at_price": lambda text: text or None,
    "category": lambda text: text or None,
}
