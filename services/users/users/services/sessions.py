"""Log in, refresh, log out.

Refresh tokens are random and opaque, stored as SHA-256 only. They rotate in families: a spent token
that comes back ends the session (docs/adr/0010-own-refresh-tokens.md; RFC 9700, section 4.14).
"""

import hashlib
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

import orjson
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from servicekit.auth import revocations
from servicekit.auth.tokens import AccessToken
from servicekit.http.problems import NotFound
from servicekit.messaging.outbox import publish
from users.errors import InvalidRefreshToken, SecondFactorRequired, WrongCredentials
from users.events import UserSessionsRevoked
from users.models import MAX_DEVICE_LENGTH, Account, RefreshToken, Session
from users.roles import CUSTOMER
from users.selectors import alive_sessions
from users.services import login_attempts, security_log, signing_keys
from users.services.factors import login_challenges, second_factor_codes
from users.services.factors.login_challenges import Challenge
from users.services.security_log import Kind, Origin

logger = logging.getLogger(__name__)

REFRESH_LIFE = timedelta(days=14)
#: Within this time a spent token gets the same answer again: for a client whose answer was lost,
#: and for two tabs at once. Later it counts as stolen (RFC 9700 asks for the detection of replays).
GRACE_SECONDS = 10
#: In `amr`: a code of the app or a recovery code, a passkey.
SECOND_FACTORS = frozenset({"otp", "pop"})
Tokens = dict[str, Any]


def log_in(*, email: str, password: str, **origin: Unpack[Origin]) -> Tokens:
    """Begin a session and return its first tokens.

    Raises:
        TooManyAttempts: the password was guessed at too often; it was not looked at.
        WrongCredentials: no active account has them. The time taken does not tell which is wrong.
        SecondFactorRequired: they are right, and the account has a second factor (second_step.py).
    """
    source = origin.get("source", login_attempts.UNKNOWN)
    login_attempts.take_try(email=email, source=source)
    # Twice at most: between check and session, another log-in may have renewed the hash.
    for _ in range(2):
        checked = _checked(email, password)
        tokens = checked and _begin(checked, origin)
        if isinstance(tokens, Challenge):
            raise SecondFactorRequired(
                challenge=tokens.token, expires_in=tokens.expires_in, passkey=tokens.passkey
            )
        if tokens:
            login_attempts.forgive(email=email, source=source)
            return tokens
        if checked is None:
            break
    security_log.count_failed_log_in(email=email, **origin)
    raise WrongCredentials


def begin_session(*, account: Account, amr: str, **origin: Unpack[Origin]) -> Tokens:
    """Begin a session of an account that the caller's transaction has locked.

    `amr` says how the account was proved: words of RFC 8176, separated by spaces.
    """
    session = Session.objects.create(
        account=account,
        expires_at=timezone.now() + REFRESH_LIFE,
        amr=amr,
        device=origin.get("device", "")[:MAX_DEVICE_LENGTH],
        network=security_log.network_of(origin.get("source", "")),
    )
    security_log.record_device(account_id=account.pk, **origin)
    return _issue(account, session)


def refresh(*, refresh_token: str, **origin: Unpack[Origin]) -> Tokens:
    """Spend a refresh token and return new tokens.

    The same token within GRACE_SECONDS gets the same answer.

    Raises:
        InvalidRefreshToken: it is unknown, expired or revoked, or was spent earlier, which ends the
            session.
    """
    with transaction.atomic():
        row = _locked(refresh_token)
        if row is None or not _is_alive(row.session):
            raise InvalidRefreshToken("Log in again.")
        if row.spent_at is None:
            answer = _issue(row.session.account, row.session)
            row.spent_at = timezone.now()
            row.encrypted_answer = signing_keys.cipher().encrypt(orjson.dumps(answer))
            row.save(update_fields=["spent_at", "encrypted_answer"])
            Session.objects.filter(pk=row.session_id).update(last_used_at=row.spent_at)
            _forget_answers(row.session)
            return answer
        repeated = _kept_answer(row)
        if repeated is not None:
            return repeated
        _end([row.session], reason="replay")
        account_id = row.session.account_id
        security_log.record(Kind.REFRESH_REPLAYED, account_id=account_id, **origin)
    # Outside the transaction: the refusal must not undo the end of the session.
    logger.warning(
        "refresh token used again, its session ended", extra={"session": str(row.session_id)}
    )
    raise InvalidRefreshToken("The token was used before; the session has ended. Log in again.")


def log_out(*, refresh_token: str) -> None:
    """End the session of a refresh token; an unknown token is ignored (RFC 7009, section 2.2)."""
    with transaction.atomic():
        row = _locked(refresh_token)
        if row is not None:
            _end([row.session], reason="logout")


def end_sessions(*, account: Account, reason: str, except_session: UUID | None = None) -> None:
    """End an account's sessions but `except_session`, in the caller's transaction."""
    alive = Session.objects.filter(account=account, ended_at__isnull=True)
    # In one sequence: two requests that end the same sessions at once must not wait for each other.
    locked = alive.select_for_update().order_by("id")
    _end([session for session in locked if session.pk != except_session], reason=reason)


def revoke_session(*, account_id: UUID, session_id: UUID, **origin: Unpack[Origin]) -> None:
    """End one session of an account.

    Raises:
        NotFound: the account has no such session, or it has ended.
    """
    with transaction.atomic():
        session = alive_sessions(account_id).select_for_update().filter(pk=session_id).first()
        if session is None:
            raise NotFound
        _end([session], reason="revoked")
        security_log.record(Kind.SESSIONS_REVOKED, account_id=account_id, **origin)


def revoke_sessions(
    *, account: Account, except_session: UUID | None, **origin: Unpack[Origin]
) -> None:
    """Log out everywhere: end an account's sessions but `except_session`."""
    with transaction.atomic():
        end_sessions(account=account, reason="revoked", except_session=except_session)
        security_log.record(Kind.SESSIONS_REVOKED, account_id=account.pk, **origin)


def _checked(email: str, password: str) -> Account | None:
    """Return the active account that has this address and password, or None."""
    try:
        account = Account.objects.get_by_natural_key(email)
    except Account.DoesNotExist:
        # Takes as long as checking: the time must not tell who is registered.
        make_password(password)
        return None
    # In this order: it takes as long for an inactive account.
    return account if account.check_password(password) and account.is_active else None


def _begin(checked: Account, origin: Origin) -> Tokens | Challenge | None:
    """Begin a session of the account as it was checked, or return None when it was changed since;
    a challenge where it has a second factor.

    A change of password meanwhile has ended its sessions and would not know of this new session.
    """
    with transaction.atomic():
        rows = Account.objects.select_for_update(no_key=True)
        account = rows.filter(pk=checked.pk, password=checked.password, is_active=True).first()
        if account is None:
            return None
        if second_factor_codes.is_on(account):
            return login_challenges.issue(account=account)
        return begin_session(account=account, amr="pwd", **origin)


def _issue(account: Account, session: Session) -> Tokens:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(session=session, digest=_digest(token))
    tokens = {
        "access_token": _access_token(account, session),
        "token_type": "Bearer",
        "expires_in": signing_keys.LIFE_SECONDS,
        "refresh_token": token,
        "refresh_expires_in": int((session.expires_at - timezone.now()).total_seconds()),
    }
    if _lacks_second_factor(account, session):
        tokens["second_factor_missing"] = True
    return tokens


def _lacks_second_factor(account: Account, session: Session) -> bool:
    """Whether it is a session of staff that must prove a second factor, and did not."""
    is_needed = settings.SECOND_FACTOR_FOR_STAFF and account.is_staff
    return is_needed and SECOND_FACTORS.isdisjoint(session.amr.split())


def _access_token(account: Account, session: Session) -> str:
    token = AccessToken.for_session(
        subject=account.pk,
        session_id=session.pk,
        # Without the factor, staff may set it up, and nothing else.
        roles=[CUSTOMER] if _lacks_second_factor(account, session) else account.roles,
        email_verified=account.email_verified,
        amr=session.amr.split(),
    )
    return str(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _locked(refresh_token: str) -> RefreshToken | None:
    """Return the token's row with its session, locked.

    Of two requests with the same token, one spends it and the other sees it spent.
    """
    rows = RefreshToken.objects.select_for_update(of=["self", "session"])
    return rows.select_related("session__account").filter(digest=_digest(refresh_token)).first()


def _kept_answer(row: RefreshToken) -> Tokens | None:
    """Return the answer that a spent token got; None after its grace or without its key."""
    if row.encrypted_answer is None or row.spent_at is None:
        return None
    if (timezone.now() - row.spent_at).total_seconds() > GRACE_SECONDS:
        return None
    try:
        answer: Tokens = orjson.loads(signing_keys.cipher().decrypt(bytes(row.encrypted_answer)))
    except InvalidToken:
        return None
    return answer


def _forget_answers(session: Session) -> None:
    """Drop the kept answers whose grace is over: they hold tokens."""
    grace_began = timezone.now() - timedelta(seconds=GRACE_SECONDS)
    over = session.refresh_tokens.filter(spent_at__lt=grace_began, encrypted_answer__isnull=False)
    over.update(encrypted_answer=None)


def _is_alive(session: Session) -> bool:
    return (
        session.ended_at is None
        and session.expires_at > timezone.now()
        and session.account.is_active
    )


def _end(sessions: Iterable[Session], *, reason: str) -> None:
    now = timezone.now()
    for session in sessions:
        if session.ended_at is None:
            session.ended_at, session.end_reason = now, reason
            session.save(update_fields=["ended_at", "end_reason"])
            announce_end(subject=session.account_id, session_id=session.pk, now=now)


def announce_end(*, subject: UUID, session_id: UUID, now: datetime) -> None:
    """Refuse the tokens of a session from now on, here and in every service, in the caller's
    transaction.
    """
    event = UserSessionsRevoked(user_id=subject, session_id=session_id, revoked_at=now)
    # Revocations of an account have no version of their own: microseconds count them.
    publish(event, subject=str(subject), sequence=int(now.timestamp() * 1_000_000))
    revocations.revoke(session_id, subject, now)
