"""Mails about an account over HTTP: parse, call, answer.

A `GET` changes nothing: programs that look at the links of a mail must not spend its token. What
takes a token is open to anybody who has it, for mails are read where nobody is logged in.
"""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.viewsets import StrictViewSetMixin
from users.api.headers import NO_STORE
from users.api.mail_serializers import AskEmail, AskReset, ConfirmReset, SpendToken
from users.api.own import OwnViewSet
from users.api.sources import origin_of, source_of
from users.models import Account
from users.services import email_change, password_reset, verification

TOKEN = "dG9rZW4gb2YgdGhlIG1haWwsIDQzIGNoYXJhY3RlcnM"  # noqa: S105 - an example
TOKEN_EXAMPLE = OpenApiExample("From the mail", {"token": TOKEN}, request_only=True)
RESET_EXAMPLE = OpenApiExample("Ada", {"email": "ada@example.org"}, request_only=True)
NEW_PASSWORD_EXAMPLE = OpenApiExample(
    "From the mail", {"token": TOKEN, "new_password": "a long enough one"}, request_only=True
)
NEW_EMAIL_EXAMPLE = OpenApiExample(
    "Ada",
    {"new_email": "ada@example.com", "current_password": "a long enough one"},
    request_only=True,
)


class OpenViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """What needs no log-in: a client's expired token must not keep it from here."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class OwnVerificationViewSet(OwnViewSet):
    """A mail that verifies the caller's address."""

    @extend_schema(operation_id="ask_for_verification", request=None, responses={202: None})
    def create(self, request: Request) -> Response:
        """Mail a token to the account's address; a few times an hour at most."""
        self.refuse_members()
        verification.ask(account_id=self.account.pk, source=source_of(request))
        return _accepted()


class VerificationViewSet(OpenViewSet):
    """The token of a mail that verifies an address."""

    @extend_schema(
        operation_id="verify_email",
        request=SpendToken,
        responses={204: None},
        examples=[TOKEN_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """The address is verified; access tokens say so from the next refresh on."""
        verification.confirm(**self.valid(SpendToken))
        return Response(status=204, headers=NO_STORE)


class PasswordResetViewSet(OpenViewSet):
    """A new password without the old one."""

    @extend_schema(
        operation_id="ask_for_password_reset",
        request=AskReset,
        responses={202: None},
        examples=[RESET_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Mail a token to the address, if it has an account: the answer does not tell."""
        password_reset.ask(**self.valid(AskReset), source=source_of(request))
        return _accepted()

    @extend_schema(
        operation_id="reset_password",
        request=ConfirmReset,
        responses={204: None},
        examples=[NEW_PASSWORD_EXAMPLE],
    )
    @action(detail=False, methods=["post"])
    def confirm(self, request: Request) -> Response:
        """A new password by the token of the mail; every session ends."""
        members = self.valid(ConfirmReset, context={"account_of": password_reset.account_of})
        password_reset.confirm(
            token=members["token"], password=members["new_password"], **origin_of(request)
        )
        return Response(status=204, headers=NO_STORE)


class OwnEmailViewSet(OwnViewSet):
    """Another address for the caller's account."""

    @extend_schema(
        operation_id="ask_for_email_change",
        request=AskEmail,
        responses={202: None},
        examples=[NEW_EMAIL_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Mail a token to the new address, and a notice to the old.

        Whether the new address has an account is not told.
        """
        members = self.valid(AskEmail)
        email_change.ask(
            account_id=self.account.pk,
            password=members["current_password"],
            email=members["new_email"],
            session_id=caller_of(request).session_id,
            **origin_of(request),
        )
        return _accepted()


class EmailViewSet(OpenViewSet):
    """The token of a mail to a new address."""

    @extend_schema(
        operation_id="change_email",
        request=SpendToken,
        responses={204: None},
        examples=[TOKEN_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """The account has the new address; every session ends but the one that asked for it."""
        email_change.confirm(**self.valid(SpendToken), **origin_of(request))
        return Response(status=204, headers=NO_STORE)


def _accepted() -> Response:
    return Response(status=202, headers=NO_STORE)
