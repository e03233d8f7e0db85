"""Pages of a category with all below it, by time."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import F, Func, QuerySet, Value
from django.db.models.expressions import RawSQL

#: Of a branch of more categories, a page is not merged from a page of each.
MERGED = 64
# A lateral join is beyond the ORM; {page} is the ORM's statement for the page of one category.
FIRST = """ARRAY(
    SELECT each.id
    FROM unnest(%s::uuid[]) AS branch (category_id) CROSS JOIN LATERAL ({page}) AS each
    ORDER BY each.created_at {way}, each.id {way} LIMIT %s
)"""


class AnyOf(Func):
    """`pk = ANY(array)`: one parameter, of whose length the planner knows. `IN` is one for each."""

    template, arg_joiner = "%(expressions)s)", " = ANY("
    output_field = models.BooleanField()

    @classmethod
    def keys(cls, keys: Sequence[UUID]) -> "AnyOf":
        """Return the condition that a row's key is one of these."""
        return cls(F("pk"), Value(list(keys), ArrayField(models.UUIDField())))


def first_of_branch(
    rows: QuerySet[Any], *, categories: Sequence[UUID], count: int, descending: bool
) -> QuerySet[Any]:
    """Return the first `count` of `rows`, which are ordered by time, that are in the categories.

    They are among the first of each category, which an index has in this order. The planner would
    follow the order through all categories, and where a branch has the oldest products read all
    the others first.
    """
    page = rows.filter(category_id=RawSQL('"branch"."category_id"', []))
    try:
        found, own = page.values("created_at", "id")[:count].query.sql_with_params()
    except EmptyResultSet:
        return rows.none()
    first = FIRST.format(page=found, way="DESC" if descending else "ASC")
    # The text is the ORM's own.
    keys = RawSQL(first, [list(categories), *own, count])  # noqa: S611 # nosec B611
    return rows.filter(AnyOf(F("pk"), keys))[:count]
