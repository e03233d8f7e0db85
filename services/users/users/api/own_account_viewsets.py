"""What owners do with their account as a whole: deactivate, delete, export."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.auth.authentication import caller_of
from users import selectors
from users.api.account_serializers import (
    ConfirmPassword,
    ExportRead,
    SecurityEventRead,
    SessionRead,
)
from users.api.address_serializers import AddressRead
from users.api.factors.passkey_serializers import PasskeyRead
from users.api.factors.second_factor_serializers import SecondFactorRead
from users.api.own import OwnViewSet
from users.api.serializers import AccountRead
from users.api.sources import origin_of
from users.models import Account
from users.services import deletion

#: Of the security log, the newest; the rest is in its list.
EXPORTED_EVENTS = 1000
ELSEWHERE = {
    "orders": "/api/orders/",
    "reviews": "/api/products/{product_id}/reviews/",
    "security_events": "/api/users/me/security-events/",
}
PASSWORD_EXAMPLE = OpenApiExample("Ada", {"password": "a long enough one"}, request_only=True)


class OwnAccountViewSet(OwnViewSet):
    """The caller's account as a whole."""

    queryset = Account.objects.none()

    @extend_schema(
        operation_id="deactivate_me",
        request=ConfirmPassword,
        responses={204: None},
        examples=[PASSWORD_EXAMPLE],
    )
    @action(detail=False, methods=["post"])
    def deactivate(self, request: Request) -> Response:
        """Close the account for now: every session ends, and only staff can open it again."""
        members = self.valid(ConfirmPassword)
        deletion.deactivate_oneself(account_id=self.account.pk, **members, **origin_of(request))
        return Response(status=204)

    @extend_schema(
        operation_id="delete_me",
        request=ConfirmPassword,
        responses={204: None},
        examples=[PASSWORD_EXAMPLE],
    )
    @action(detail=False, methods=["post"], url_path="delete")
    def delete_me(self, request: Request) -> Response:
        """Delete the account and all that is personal of it, here and in the other services.

        Orders run to their end, and stay in the books without a name.
        """
        members = self.valid(ConfirmPassword)
        deletion.delete_oneself(account_id=self.account.pk, **members, **origin_of(request))
        return Response(status=204)

    @extend_schema(operation_id="export_me", responses=ExportRead)
    @action(detail=False)
    def export(self, request: Request) -> Response:
        """All that this service holds of the caller; `elsewhere` says where the rest is."""
        account_id, session_id = self.account.pk, caller_of(request).session_id
        addresses = selectors.list_addresses(account_id).order_by("id")
        sessions = selectors.list_sessions(account_id, current_id=session_id).order_by("id")
        passkeys = selectors.list_passkeys(account_id).order_by("id")
        events = selectors.list_security_events(account_id).order_by("-id")
        body = {
            "account": AccountRead(self.account).data,
            "addresses": AddressRead.bodies(addresses.values(*AddressRead.columns())),
            "sessions": SessionRead.bodies(sessions.values(*SessionRead.columns())),
            "second_factor": SecondFactorRead(selectors.second_factor_of(self.account)).data,
            "passkeys": PasskeyRead.bodies(passkeys.values(*PasskeyRead.columns())),
            "security_events": SecurityEventRead.bodies(
                events.values(*SecurityEventRead.columns())[:EXPORTED_EVENTS]
            ),
            "elsewhere": ELSEWHERE,
        }
        headers = {"Content-Disposition": 'attachment; filename="souk-account.json"'}
        return Response(body, headers=headers)
