"""Sessions, their tokens, and rows that end them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import tokens
from servicekit.auth.token_rules import LONGEST_LIFE_SECONDS
from servicekit.models import RevokedSession
from servicekit.testing.tokens import make_token

NOW = datetime.now(UTC).replace(microsecond=0)


def session_of(moment: datetime) -> UUID:
    """A session that began at `moment`."""
    milliseconds = round(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | uuid4().int & (1 << 62) - 1)


def claims_of(subject: UUID, session: UUID | None = None, **claims: Any) -> tokens.Claims:
    if "iat" in claims:
        claims["exp"] = claims["iat"] + LONGEST_LIFE_SECONDS
    return tokens.verified(make_token(subject, sid=str(session or uuid7()), **claims)).claims


def row(session: UUID | None, subject: UUID, **overrides: Any) -> RevokedSession:
    """As another process would have written it."""
    values = {
        "before": timezone.now(),
        "expires_at": timezone.now() + timedelta(hours=1),
        **overrides,
    }
    return RevokedSession.objects.create(session=session, subject=subject, **values)
