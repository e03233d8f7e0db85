"""The caller's sessions and security log over HTTP."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.auth.authentication import caller_of
from servicekit.http.pagination import Ordering
from users import selectors
from users.api.account_serializers import RevokeSessions, SecurityEventRead, SessionRead
from users.api.own import OwnViewSet
from users.api.sources import origin_of
from users.models import SecurityEvent, Session
from users.services import sessions

NEWEST_FIRST = (Ordering("id", UUID, descending=True),)


class OwnSessionViewSet(OwnViewSet, ListModelMixin):
    """Where the caller is logged in."""

    lookup_url_kwarg = "session_id"
    queryset = Session.objects.none()
    serializer_class = SessionRead
    orderings = NEWEST_FIRST

    def get_queryset(self) -> QuerySet[Any]:
        """The caller's sessions that are alive."""
        current_id = caller_of(self.request).session_id
        rows: QuerySet[Any] = selectors.list_sessions(self.account.pk, current_id=current_id)
        return rows.values(*SessionRead.columns())

    @extend_schema(operation_id="list_sessions")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One's own sessions, the latest log-in first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="revoke_session", responses={204: None})
    def destroy(self, request: Request, session_id: UUID) -> Response:
        """End a session: its tokens are refused everywhere within seconds."""
        self.refuse_members()
        sessions.revoke_session(
            account_id=self.account.pk, session_id=session_id, **origin_of(request)
        )
        return Response(status=204)

    @extend_schema(
        operation_id="revoke_sessions",
        request=RevokeSessions,
        responses={204: None},
        examples=[OpenApiExample("All others", {"except_current": True}, request_only=True)],
    )
    @action(detail=False, methods=["post"], url_path="revoke-all")
    def revoke_all(self, request: Request) -> Response:
        """Log out everywhere, or everywhere else."""
        is_kept = self.valid(RevokeSessions).get("except_current", False)
        sessions.revoke_sessions(
            account=self.account,
            except_session=caller_of(request).session_id if is_kept else None,
            **origin_of(request),
        )
        return Response(status=204)


class OwnSecurityEventViewSet(OwnViewSet, ListModelMixin):
    """What happened to the caller's account."""

    queryset = SecurityEvent.objects.none()
    serializer_class = SecurityEventRead
    orderings = NEWEST_FIRST

    def get_queryset(self) -> QuerySet[Any]:
        """Of the caller's account."""
        rows: QuerySet[Any] = selectors.list_security_events(self.account.pk)
        return rows.values(*SecurityEventRead.columns())

    @extend_schema(operation_id="list_security_events")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The security log of one's own account, newest first; it is kept for 180 days."""
        return super().list(request, *args, **kwargs)
