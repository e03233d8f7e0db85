"""The query parameters that filter lists."""

from orders.models import Status
from servicekit.http.filters import ChoiceFilter, IdFilter, StrictFilterSet


class OrderFilterSet(StrictFilterSet):
    status = ChoiceFilter(choices=Status.choices)
    user = IdFilter(field_name="user_id", staff_only=True, help_text="Staff only.")
