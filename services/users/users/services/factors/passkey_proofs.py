"""Passkeys as proof of who somebody is: each signature counts once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Q
from django.utils import timezone

from servicekit.http.problems import Problem
from users.models import Account, Passkey
from users.services import security_log
from users.services.factors import passkey_challenges, relying_party
from users.services.factors.passkey_challenges import Purpose
from users.services.factors.relying_party import Json, PasskeyRefused
from users.services.security_log import Kind, Origin


def proof_options(*, account: Account) -> Json:
    """Return what a browser needs to prove the account's second factor by one of its passkeys."""
    challenge = passkey_challenges.issue(Purpose.PROOF, account=account)
    return relying_party.request_options(passkeys=account.passkeys.all(), challenge=challenge)


def log_in_options(*, account: Account, token: str) -> Json | None:
    """Return what a browser needs to answer a log-in's challenge; None without a passkey."""
    passkeys = list(account.passkeys.all())
    if not passkeys:
        return None
    challenge = relying_party.answer_to(token)
    return relying_party.request_options(passkeys=passkeys, challenge=challenge)


def spend_proof(*, account: Account, credential: Json) -> None:
    """Take a credential that answers `proof_options`, in the caller's transaction.

    Raises:
        PasskeyRefused: it proves nothing, or did so before.
    """
    challenge = relying_party.challenge_in(credential)
    passkey_challenges.spend(challenge, Purpose.PROOF, account=account)
    spend(account=account, credential=credential, challenge=challenge)


def spend(
    *, account: Account, credential: Json, challenge: bytes, is_user_verified: bool = False
) -> None:
    """Take a credential for the challenge, which the caller has spent in its transaction.

    Raises:
        PasskeyRefused: no passkey of the account has signed that, or its count did not rise.
    """
    credential_id = relying_party.credential_id_of(credential)
    passkey = Passkey.objects.filter(account=account, credential_id=credential_id).first()
    if passkey is None:
        raise PasskeyRefused
    count = relying_party.check_assertion(
        credential=credential,
        challenge=challenge,
        passkey=passkey,
        is_user_verified=is_user_verified,
    )
    # Authenticators that do not count stay at 0 (WebAuthn, 6.1.1).
    before = Q(sign_count__lt=count) if count else Q(sign_count=0)
    used = Passkey.objects.filter(before, pk=passkey.pk)
    if not used.update(sign_count=count, last_used_at=timezone.now()):
        raise PasskeyRefused(account.pk)


@contextmanager
def refused_as(problem: Problem, origin: Origin) -> Iterator[None]:
    """Raise the problem where a passkey is refused, around the transaction that it undoes.

    The security log is told of a passkey that may have been copied.
    """
    try:
        yield
    except PasskeyRefused as refusal:
        if refusal.account_id is not None:
            security_log.record(Kind.PASSKEY_REFUSED, account_id=refusal.account_id, **origin)
        raise problem from None
