"""The query parameters that filter lists."""

from orders.api.permissions import ReadsEveryOrder
from orders.models import Status
from servicekit.http.filters import ChoiceFilter, IdFilter, StrictFilterSet


class OrderFilterSet(StrictFilterSet):
    status = ChoiceFilter(choices=Status.choices)
    user = IdFilter(field_name="user_id", only_for=ReadsEveryOrder, help_text="Staff only.")
