"""Second factors over HTTP: parse, call, answer."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.problems import CONTENT_TYPE as PROBLEM
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.factors.passkey_examples import PASSKEY_ANSWER
from users.api.factors.passkey_serializers import (
    AnswerChallenge,
    ProveFactorsOfAccount,
    ProveSecondFactor,
)
from users.api.factors.second_factor_serializers import (
    ConfirmSecondFactor,
    LogInRefusedRead,
    RecoveryCodesRead,
    SecondFactorRead,
    SetUpRead,
)
from users.api.headers import NO_STORE
from users.api.own import OwnViewSet
from users.api.permissions import IsAdmin
from users.api.serializers import TokensRead
from users.api.sources import origin_of
from users.models import Account
from users.services.factors import second_factor, second_step

PATH = "second-factor"
CODES = [
    "k5xq-2tzm-7ab3-hq4u-vyd2-p6cn",
    "3nfw-yq5e-d4ko-u7rj-2sbl-m6tv",
]
ANSWER_EXAMPLES = [
    OpenApiExample(
        "Code of the app",
        {"challenge": "pGbA7yq0m3V1d8sW5nT2xKfR4uJ6hLcE9oZiXvQwY_I", "code": "492039"},
        request_only=True,
    ),
    OpenApiExample(
        "Recovery code",
        {"challenge": "pGbA7yq0m3V1d8sW5nT2xKfR4uJ6hLcE9oZiXvQwY_I", "code": CODES[0]},
        request_only=True,
    ),
    PASSKEY_ANSWER,
]
SET_UP_EXAMPLE = OpenApiExample(
    "For the app",
    {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "otpauth_uri": "otpauth://totp/Souk:ada%40example.org?digits=6"
        "&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&issuer=Souk&period=30",
    },
    response_only=True,
)
PASSWORD_EXAMPLE = OpenApiExample(
    "Ada", {"current_password": "a long enough one"}, request_only=True
)
PROOF_EXAMPLE = OpenApiExample(
    "Ada", {"current_password": "a long enough one", "code": "492039"}, request_only=True
)
CODES_EXAMPLE = OpenApiExample("Two of the ten", {"recovery_codes": CODES}, response_only=True)


class SecondStepViewSet(StrictViewSetMixin, GenericViewSet[Any]):
    """The second step of a log-in, for accounts with a second factor."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="answer_challenge",
        request=AnswerChallenge,
        responses={200: TokensRead, (401, PROBLEM): LogInRefusedRead},
        examples=ANSWER_EXAMPLES,
    )
    @action(detail=False, methods=["post"], url_path=PATH)
    def second_factor(self, request: Request) -> Response:
        """The challenge of a log-in and a code, or a passkey's answer to it, for tokens."""
        members = self.valid(AnswerChallenge)
        tokens = second_step.answer_challenge(**members, **origin_of(request))
        return Response(TokensRead(tokens).data, headers=NO_STORE)


class OwnSecondFactorViewSet(OwnViewSet):
    """The caller's second factor: an authenticator app (RFC 6238), passkeys, recovery codes."""

    queryset = Account.objects.none()

    @extend_schema(operation_id="read_second_factor", responses=SecondFactorRead)
    @action(detail=False, url_path=PATH)
    def second_factor(self, request: Request) -> Response:
        """Whether there is a second factor, and how many recovery codes are left."""
        state = selectors.second_factor_of(self.account)
        return Response(SecondFactorRead(state).data, headers=NO_STORE)

    @extend_schema(
        operation_id="begin_second_factor",
        request=ProveFactorsOfAccount,
        responses=SetUpRead,
        examples=[PASSWORD_EXAMPLE, SET_UP_EXAMPLE],
    )
    @second_factor.mapping.post
    def begin(self, request: Request) -> Response:
        """A secret for an authenticator app, shown once. It counts once a code is confirmed.

        Whoever has a passkey proves it, too.
        """
        members = self.valid(ProveFactorsOfAccount)
        set_up = second_factor.begin(account_id=self.account.pk, **members, **origin_of(request))
        return Response(SetUpRead(set_up).data, headers=NO_STORE)

    @extend_schema(
        operation_id="confirm_second_factor",
        request=ConfirmSecondFactor,
        responses=RecoveryCodesRead,
        examples=[OpenApiExample("Ada", {"code": "492039"}, request_only=True), CODES_EXAMPLE],
    )
    @action(detail=False, methods=["post"], url_path=f"{PATH}/confirm")
    def confirm(self, request: Request) -> Response:
        """Switch the app on with a code of it; every other session ends.

        The recovery codes are shown once, with the account's first factor.
        """
        codes = second_factor.confirm(
            account_id=self.account.pk,
            **self.valid(ConfirmSecondFactor),
            session_id=caller_of(request).session_id,
            **origin_of(request),
        )
        return _recovery_codes(codes)

    @extend_schema(
        operation_id="renew_recovery_codes",
        request=ProveSecondFactor,
        responses=RecoveryCodesRead,
        examples=[PROOF_EXAMPLE, CODES_EXAMPLE],
    )
    @action(detail=False, methods=["post"], url_path=f"{PATH}/recovery-codes")
    def recovery_codes(self, request: Request) -> Response:
        """Ten new recovery codes, shown once; the old ones end."""
        codes = second_factor.renew_recovery_codes(
            account_id=self.account.pk,
            **self.valid(ProveSecondFactor),
            **origin_of(request),
        )
        return _recovery_codes(codes)

    @extend_schema(
        operation_id="disable_second_factor",
        request=ProveSecondFactor,
        responses={204: None},
        examples=[PROOF_EXAMPLE],
    )
    @action(detail=False, methods=["post"], url_path=f"{PATH}/disable")
    def disable(self, request: Request) -> Response:
        """Switch the second factor off, passkeys too; every session ends, this one included."""
        second_factor.disable(
            account_id=self.account.pk,
            **self.valid(ProveSecondFactor),
            **origin_of(request),
        )
        return Response(status=204)


class SecondFactorViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """What admins do for an owner who has lost app and recovery codes."""

    permission_classes = (IsAdmin,)
    queryset = selectors.list_accounts()
    lookup_url_kwarg = "account_id"

    @extend_schema(operation_id="remove_second_factor", responses={204: None})
    @action(detail=True, methods=["delete"], url_path=PATH)
    def remove(self, request: Request, account_id: UUID) -> Response:
        """Take the second factor from an account; its sessions end."""
        self.refuse_members()
        second_factor.remove_for_owner(account_id=account_id, by=caller_of(request).id)
        return Response(status=204)


def _recovery_codes(codes: list[str]) -> Response:
    return Response(RecoveryCodesRead({"recovery_codes": codes}).data, headers=NO_STORE)
