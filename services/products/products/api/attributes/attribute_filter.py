"""The filter by attributes: `attributes=colour:red,colour:blue,height:10..20`."""

import re
from collections import defaultdict
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from products import selectors
from products.api.attributes.attribute_serializers import KEY
from servicekit.http.filters import StrictFilter
from servicekit.http.problems import InvalidInput

MAX_TERMS = 20
# Commas in values are written "\,", and backslashes twice.
TERM = re.compile(r"(?:[^,\\]|\\[,\\])+")
ESCAPE = re.compile(r"\\(.)")
NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?"
RANGE = re.compile(rf"({NUMBER})?\.\.({NUMBER})?")
Terms = dict[str, list[str]]


def written(terms: Terms) -> str:
    """Return terms as the parameter has them."""
    return ",".join(
        f"{key}:" + wanted.replace("\\", r"\\").replace(",", r"\,")
        for key, each in terms.items()
        for wanted in each
    )


class AttributesField(forms.Field):
    """Terms of key and value."""

    def clean(self, value: str) -> Terms:
        """Return the values that are wanted of each key.

        Raises:
            forms.ValidationError: it is no list of terms, or too long a list.
        """
        terms = TERM.findall(value)
        if ",".join(terms) != value or len(terms) > MAX_TERMS:
            raise forms.ValidationError(f"is a list of key:value, at most {MAX_TERMS}.")
        found: Terms = defaultdict(list)
        for term in terms:
            key, separator, wanted = term.partition(":")
            if not (separator and wanted and KEY.fullmatch(key)):
                raise forms.ValidationError("is a list of key:value, such as colour:red.")
            found[key].append(ESCAPE.sub(r"\1", wanted))
        return dict(found)


class AttributesFilter(StrictFilter):
    """By values of attributes: of one key any, of different keys all."""

    field_class = AttributesField

    def filter(self, rows: QuerySet[Any], value: Terms) -> QuerySet[Any]:
        """Return the rows with the values.

        Raises:
            InvalidInput: there is no such attribute, or it has no such values.
        """
        types = selectors.attribute_types(keys=value)
        for key, wanted in value.items():
            if key not in types:
                raise InvalidInput(f"There is no attribute {key}.")
            rows = rows.filter(reduce(or_, [_term(key, types[key], each) for each in wanted]))
        return rows


def _term(key: str, type_: str, wanted: str) -> Any:
    if type_ == "text":
        return Q(attributes__contains={key: wanted})
    if type_ == "boolean" and wanted in ("true", "false"):
        return Q(attributes__contains={key: wanted == "true"})
    if type_ == "number":
        if re.fullmatch(NUMBER, wanted):
            return Q(attributes__contains={key: float(wanted)})
        if (ends := RANGE.fullmatch(wanted)) and any(ends.groups()):
            return Q(_Between(key, *ends.groups()))
    example = {"boolean": "true", "number": "12.5 or 10..20"}[type_]
    raise InvalidInput(f"{key} is of the type {type_}: {key}:{example}.")


class _Between(Func):
    """Whether a number is in a range; not so for what is no number."""

    function = "jsonb_path_exists"
    template = "%(function)s(%(expressions)s::jsonpath)"
    output_field = BooleanField()

    def __init__(self, key: str, low: str | None, high: str | None) -> None:
        ends = [f"@ >= {low}"] * bool(low) + [f"@ <= {high}"] * bool(high)
        super().__init__(F("attributes"), Value(f"$.{key} ? ({' && '.join(ends)})"))
