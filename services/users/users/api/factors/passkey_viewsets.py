"""Passkeys over HTTP: parse, call, answer."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.factors import passkey_examples as examples
from users.api.factors.passkey_serializers import (
    AddPasskey,
    LogInWithPasskey,
    PasskeyAddedRead,
    PasskeyOptionsRead,
    PasskeyRead,
    ProveFactorsOfAccount,
    RenamePasskey,
)
from users.api.headers import NO_STORE
from users.api.own import OwnViewSet
from users.api.serializers import TokensRead
from users.api.sources import origin_of
from users.models import Passkey
from users.services.factors import passkey_log_in, passkey_proofs, passkeys
from users.services.factors.relying_party import Json


class PasskeyLogInViewSet(StrictViewSetMixin, GenericViewSet[Any]):
    """Log in with a passkey alone, whose authenticator checks by PIN, finger or face who has it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="begin_passkey_log_in",
        request=None,
        responses=PasskeyOptionsRead,
        examples=[examples.REQUEST_OPTIONS],
    )
    @action(detail=False, methods=["post"], url_path="passkey/options")
    def begin(self, request: Request) -> Response:
        """What `navigator.credentials.get()` needs; good for five minutes, and once."""
        self.refuse_members()
        return _options(passkey_log_in.begin())

    @extend_schema(
        operation_id="log_in_with_passkey",
        request=LogInWithPasskey,
        responses=TokensRead,
        examples=[examples.ASSERTION],
    )
    @action(detail=False, methods=["post"], url_path="passkey")
    def passkey(self, request: Request) -> Response:
        """What `navigator.credentials.get()` returned, for tokens."""
        tokens = passkey_log_in.log_in(**self.valid(LogInWithPasskey), **origin_of(request))
        return Response(TokensRead(tokens).data, headers=NO_STORE)


class OwnPasskeyViewSet(OwnViewSet, ListModelMixin):
    """The caller's passkeys, ten at most: a second factor, and log-in without a password."""

    lookup_url_kwarg = "passkey_id"
    queryset = Passkey.objects.none()
    serializer_class = PasskeyRead
    orderings = (Ordering("id", UUID, descending=True),)

    def get_queryset(self) -> QuerySet[Any]:
        """The caller's."""
        rows: QuerySet[Any] = selectors.list_passkeys(self.account.pk)
        return rows.values(*PasskeyRead.columns())

    def body(self, passkey_id: UUID) -> Any:
        """Return the body of a passkey."""
        return PasskeyRead.body(get_object_or_404(self.get_queryset(), pk=passkey_id))

    @extend_schema(operation_id="list_passkeys")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One's own passkeys, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="begin_passkey",
        request=ProveFactorsOfAccount,
        responses=PasskeyOptionsRead,
        examples=[examples.PASSWORD, examples.CREATION_OPTIONS],
    )
    @action(detail=False, methods=["post"], url_path="options")
    def begin(self, request: Request) -> Response:
        """What `navigator.credentials.create()` needs; good for five minutes, and once."""
        members = self.valid(ProveFactorsOfAccount)
        return _options(passkeys.begin(account_id=self.account.pk, **members, **origin_of(request)))

    @extend_schema(
        operation_id="add_passkey",
        request=AddPasskey,
        responses={201: PasskeyAddedRead},
        examples=[examples.NEW_PASSKEY],
    )
    def create(self, request: Request) -> Response:
        """What `navigator.credentials.create()` returned; every other session ends.

        With the account's first factor there are recovery codes, shown once.
        """
        added = passkeys.register(
            account_id=self.account.pk,
            **self.valid(AddPasskey),
            session_id=caller_of(request).session_id,
            **origin_of(request),
        )
        body = {"passkey": self.body(added.passkey.pk), "recovery_codes": added.recovery_codes}
        return Response(body, 201)

    @extend_schema(operation_id="rename_passkey", request=RenamePasskey, responses=PasskeyRead)
    def partial_update(self, request: Request, passkey_id: UUID) -> Response:
        """Give a passkey another name."""
        members = self.valid(RenamePasskey)
        passkeys.rename(account_id=self.account.pk, passkey_id=passkey_id, **members)
        return Response(self.body(passkey_id))

    @extend_schema(
        operation_id="remove_passkey",
        request=ProveFactorsOfAccount,
        responses={204: None},
        examples=[examples.PROOF],
    )
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, passkey_id: UUID) -> Response:
        """Remove a passkey; every other session ends.

        With the last factor, the second factor is off, and this session ends too.
        """
        passkeys.remove(
            account_id=self.account.pk,
            passkey_id=passkey_id,
            **self.valid(ProveFactorsOfAccount),
            session_id=caller_of(request).session_id,
            **origin_of(request),
        )
        return Response(status=204)

    @extend_schema(
        operation_id="begin_passkey_proof",
        request=None,
        responses=PasskeyOptionsRead,
        examples=[examples.REQUEST_OPTIONS],
    )
    @action(detail=False, methods=["post"])
    def challenge(self, request: Request) -> Response:
        """What `navigator.credentials.get()` needs; what it returns goes wherever a `passkey` may
        stand for a code.
        """
        self.refuse_members()
        return _options(passkey_proofs.proof_options(account=self.account))


def _options(options: Json) -> Response:
    return Response(PasskeyOptionsRead({"publicKey": options}).data, headers=NO_STORE)
