"""What the columns of a CSV file are: by their names, in any case, ours or those of others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from products.file_cells import COLUMNS, unescaped
from products.models import BASE_LANGUAGE, SEARCH_CONFIGURATIONS, Product
from products.services.bulk.outcomes import LeftAlone

DELIMITERS = (",", ";", "\t", "|")
#: What a product is called in the other languages.
TRANSLATED = tuple(
    f"{name}:{language}"
    for language in SEARCH_CONFIGURATIONS
    if language != BASE_LANGUAGE
    for name in ("name", "description")
)
#: A column for each attribute, "attribute:colour"; the key as attribute_serializers.py has it.
ATTRIBUTE = re.compile(r"attribute:[a-z][a-z0-9_]{0,49}")
#: The UCI Online Retail set, and shops that exported like it.
ALIASES = {
    **{name: name for name in (*COLUMNS, *TRANSLATED)},
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
FRACTION = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?")
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
    members = [_member(name) for name in names]
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


def _member(name: str) -> str:
    return name if ATTRIBUTE.fullmatch(name) else ALIASES.get(name, "")


def typed(values: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """Return a product's attributes with numbers and truths where their types ask for them.

    What is none stays text, which is then refused as of the wrong type.
    """
    return {key: CELL_TYPES.get(types.get(key, ""), str)(text) for key, text in values.items()}


def beside(product: Product, content: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return a line's members, with the attributes and translations of its product kept which none
    of the line's columns is about.
    """
    members = dict(content)
    if "attributes" in content:
        others = _without(product.attributes, columns, "attribute:{}")
        members["attributes"] = others | content["attributes"]
    if "translations" in content:
        languages = [*product.translations, *content["translations"]]
        wordings = {
            language: _without(product.translations.get(language, {}), columns, f"{{}}:{language}")
            | content["translations"].get(language, {})
            for language in languages
        }
        members["translations"] = {key: value for key, value in wordings.items() if value}
    return members


def _without(values: Mapping[str, Any], columns: Sequence[str], column: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if column.format(key) not in columns}


def _put(found: dict[str, Any], name: str, text: str) -> None:
    kind, _, key = name.partition(":")
    if key:
        _put_part(found, kind, key, text)
        return
    text = text if name in KEPT_AS_IT_IS else text.strip()
    if text or name not in OPTIONAL:
        found[name] = VALUES.get(name, str)(text)


def _number(text: str) -> Any:
    """Return a whole number; what is none stays text, which no serializer takes for a number."""
    return int(text) if NUMBER.fullmatch(text) else text


def _put_part(found: dict[str, Any], kind: str, key: str, text: str) -> None:
    """Put an attribute, or a name or description in a language; an empty cell has none."""
    if kind == "attribute":
        part, name = found.setdefault("attributes", {}), key
    else:
        part, name = found.setdefault("translations", {}), kind
        if text.strip():
            part = part.setdefault(key, {})
    if text.strip():
        part[name] = text.strip() if kind == "attribute" else text


def _fraction(text: str) -> Any:
    """Return a number, whole or not, as `_number` does."""
    return float(text) if not NUMBER.fullmatch(text) and FRACTION.fullmatch(text) else _number(text)


def _flag(text: str) -> Any:
    return FLAGS.get(text.lower(), text)


CELL_TYPES: Mapping[str, Any] = {"number": _fraction, "boolean": _flag}
VALUES: Mapping[str, Any] = {
    "stock": _number,
    "low_stock_threshold": _number,
    "active": _flag,
    "compare_at_price": lambda text: text or None,
    "category": lambda text: text or None,
}
