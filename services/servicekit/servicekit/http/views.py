"""The base of our API views."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from servicekit.http import pagination
from servicekit.http.fields import NoMembers, StrictSerializer
from servicekit.http.parsers import MAX_BODY_BYTES


class StrictView(APIView):
    """A view that refuses query parameters it does not read, and bodies that no serializer takes."""

    #: By method, the query parameters that are read; every other one is a 400.
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {}
    #: What a body may have at most.
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and authorise, as DRF does; then look at the parameters."""
        super().initial(request, *args, **kwargs)
        # HEAD asks what GET would answer (RFC 9110, 9.3.2).
        method = "GET" if request.method == "HEAD" else request.method or ""
        pagination.check_parameters(request, self.query_parameters.get(method, frozenset()))

    def valid(self, serializer_class: type[StrictSerializer], **options: Any) -> dict[str, Any]:
        """Return the body's validated members.

        Raises:
            ValidationError: naming each fault by its JSON pointer.
        """
        serializer = serializer_class(data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        members: dict[str, Any] = serializer.validated_data
        return members

    def refuse_members(self) -> None:
        """Refuse a body that asks for anything, where none is read; nothing at all and `{}` are fine.

        Raises:
            ValidationError: it has members, or is no object.
        """
        self.valid(NoMembers)
