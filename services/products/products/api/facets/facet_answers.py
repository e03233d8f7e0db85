"""The counts of a list: each filter narrows those of the others, an attribute's not its own."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from products import facets
from products.api.attributes.attribute_filter import AttributesField, written
from products.api.facets.facet_serializers import FacetsRead
from products.api.filters import WholeFilterSet
from products.api.wording import category_in, language_of

#: Of attributes that are filtered by, so many are counted as if they were not: each is a query.
MOST_OWN = 5
Parameters = dict[str, str]
Row = dict[str, Any]


def facets_of(request: Request, rows: QuerySet[Any]) -> Any:
    """Return the body: counts of what the request's filters leave of `rows`."""
    parameters: Parameters = request.query_params.dict()
    language = language_of(parameters)

    def left(parameters: Parameters) -> QuerySet[Any]:
        return WholeFilterSet(parameters, rows, request=request).qs

    found = left(parameters)
    members = {
        **facets.sums(found),
        "categories": facets.categories(found, below=parameters.get("category")),
        "attributes": _attributes(found, parameters, left),
    }
    for each in (*members["categories"], *members["attributes"]):
        each.update(category_in(language, each))
    return FacetsRead(members).data


def _attributes(found: QuerySet[Any], parameters: Parameters, left: Any) -> list[Row]:
    """Return the attributes of what is left; each that is filtered by, of what the others leave."""
    rows = {each["key"]: each for each in facets.attributes(found)}
    terms = AttributesField().clean(parameters["attributes"]) if "attributes" in parameters else {}
    for key in list(terms)[:MOST_OWN]:
        others = written({name: wanted for name, wanted in terms.items() if name != key})
        own = left({**parameters, "attributes": others} if others else _without(parameters))
        rows.update({each["key"]: each for each in facets.attributes(own) if each["key"] == key})
    return [rows[key] for key in sorted(rows)]


def _without(parameters: Parameters) -> Parameters:
    return {name: value for name, value in parameters.items() if name != "attributes"}
