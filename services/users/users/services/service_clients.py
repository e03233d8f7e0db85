"""Machine clients: made, given a new secret, withdrawn; and their tokens (RFC 6749, 4.4).

A secret has 256 random bits, so a fast hash of it is enough, and no number of guesses finds it
(docs/adr/0094-roles-and-machine-clients.md).
"""

import hashlib
import secrets
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth.tokens import AccessToken
from servicekit.http.identifiers import parse_id
from servicekit.http.problems import NotFound
from users.errors import ClientWithdrawn, InvalidClient, InvalidScope, NameTaken
from users.models import ServiceClient
from users.services import login_attempts, roles, signing_keys
from users.services.sessions import announce_end


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client with a secret that is told now and never again."""

    client: ServiceClient
    secret: str


def create_client(*, name: str, scopes: Iterable[str], by: UUID) -> NewSecret:
    """Make a machine client.

    Raises:
        MissingRole: `by` is no admin now.
        NameTaken: another client that is not withdrawn has the name.
    """
    secret = secrets.token_urlsafe(32)
    client = ServiceClient(
        name=name, scopes=sorted(set(scopes)), secret_digest=_digest(secret), created_by=by
    )
    try:
        with transaction.atomic():
            roles.check_admin(by)
            client.save(force_insert=True)
            client.refresh_from_db(fields=["created_at"])
    except IntegrityError as error:
        if "service_client_name_once" not in str(error):
            raise
        raise NameTaken from error
    return NewSecret(client, secret)


def rotate_secret(*, client_id: UUID, overlap_seconds: int, by: UUID) -> NewSecret:
    """Give a client a new secret; the present secret works for `overlap_seconds` more.

    A third secret, of an earlier rotation, ends at once. Without any overlap, so do the tokens
    that the client has: its secret may be in wrong hands.

    Raises:
        MissingRole: `by` is no admin now.
        NotFound: there is no such client.
        ClientWithdrawn: it was withdrawn.
    """
    secret = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        roles.check_admin(by)
        client = _locked(client_id)
        client.old_secret_digest, client.old_secret_until = None, None
        if overlap_seconds:
            client.old_secret_digest = client.secret_digest
            client.old_secret_until = now + timedelta(seconds=overlap_seconds)
        else:
            _end_tokens(client, now)
        client.secret_digest = _digest(secret)
        client.save()
    return NewSecret(client, secret)


def withdraw_client(*, client_id: UUID, by: UUID) -> ServiceClient:
    """Give a client no more tokens; those it has are refused by every service within seconds.

    Raises:
        MissingRole: `by` is no admin now.
        NotFound: there is no such client.
        ClientWithdrawn: it was withdrawn before.
    """
    now = timezone.now()
    with transaction.atomic():
        roles.check_admin(by)
        client = _locked(client_id)
        client.withdrawn_at = now
        _end_tokens(client, now)
        client.save()
    return client


def issue_token(
    *, client_id: str, secret: str, scope: str, source: str = login_attempts.UNKNOWN
) -> dict[str, Any]:
    """Return a token for a client's id and secret, with all its scopes or those of `scope`.

    The right secret is answered whatever others have guessed; wrong ones are slowed down.

    Raises:
        InvalidClient: no client has this id and secret, or it is withdrawn.
        TooManyAttempts: and that was tried too often.
        InvalidScope: it is asked for more than it has.
    """
    with transaction.atomic():
        client = _with_secret(client_id, secret)
        if client is not None:
            return _token(client, _wanted(scope, frozenset(client.scopes)))
    login_attempts.take_try_of_client(client_id=client_id, source=source)
    raise InvalidClient


def _token(client: ServiceClient, scopes: Set[str]) -> dict[str, Any]:
    client.last_used_at = timezone.now()
    client.save(update_fields=["last_used_at"])
    token = AccessToken.for_client(client_id=client.pk, session_id=client.session_id, scopes=scopes)
    return {
        "access_token": str(token),
        "token_type": "Bearer",
        "expires_in": signing_keys.LIFE_SECONDS,
        "scope": token.payload["scope"],
    }


def _with_secret(client_id: str, secret: str) -> ServiceClient | None:
    """Return the client, locked: a rotation comes before its token or after it."""
    try:
        key = parse_id(client_id)
    except ValueError:
        return None
    digest = _digest(secret)
    is_old = Q(old_secret_digest=digest, old_secret_until__gt=timezone.now())
    rows = ServiceClient.objects.select_for_update(no_key=True)
    return rows.filter(Q(secret_digest=digest) | is_old, pk=key, withdrawn_at=None).first()


def _wanted(scope: str, held: frozenset[str]) -> frozenset[str]:
    wanted = frozenset(scope.split(" ")) if scope else held
    if not wanted <= held:
        raise InvalidScope
    return wanted


def _locked(client_id: UUID) -> ServiceClient:
    client = ServiceClient.objects.select_for_update(no_key=True).filter(pk=client_id).first()
    if client is None:
        raise NotFound
    if not client.active:
        raise ClientWithdrawn
    return client


def _end_tokens(client: ServiceClient, now: datetime) -> None:
    announce_end(subject=client.pk, session_id=client.session_id, now=now)
    client.session_id = uuid7()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
