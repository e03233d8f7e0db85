"""How accounts come into being, over HTTP: by the token of a mail, or by an admin."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.viewsets import StrictViewSetMixin
from users.api.headers import NO_STORE
from users.api.mail_serializers import ConfirmRegistration
from users.api.mail_viewsets import TOKEN, OpenViewSet
from users.api.permissions import IsAdmin
from users.api.serializers import AccountRead, Register
from users.api.sources import origin_of
from users.models import Account
from users.services import accounts, registration

CONFIRM_EXAMPLE = OpenApiExample(
    "From the mail", {"token": TOKEN, "password": "a long enough one"}, request_only=True
)
CREATE_EXAMPLE = OpenApiExample(
    "A customer of the old shop",
    {"email": "ada@example.org", "password": "a long enough one", "name": "Ada"},
    request_only=True,
)


class RegistrationViewSet(OpenViewSet):
    """The token of a mail that opens an account."""

    @extend_schema(
        operation_id="confirm_registration",
        request=ConfirmRegistration,
        responses={201: AccountRead},
        examples=[CONFIRM_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Open the account, with the password that it was registered with; then log in."""
        account = registration.confirm(**self.valid(ConfirmRegistration))
        headers = {**NO_STORE, "Location": "/api/users/me/"}
        return Response(AccountRead(account).data, 201, headers=headers)


class AccountCreationViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """Accounts that admins make, such as those of another shop's customers."""

    permission_classes = (IsAdmin,)
    serializer_class = AccountRead

    @extend_schema(
        operation_id="create_user",
        request=Register,
        responses={201: AccountRead},
        examples=[CREATE_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Make an account whose address is known to be its owner's; nobody is mailed."""
        account = accounts.register_for(
            **self.valid(Register), by=caller_of(request).id, **origin_of(request)
        )
        headers = {**NO_STORE, "Location": f"/api/users/{account.pk}/"}
        return Response(AccountRead(account).data, 201, headers=headers)
