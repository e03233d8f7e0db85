"""What browsers are asked to have signed, and whether it was signed: by py_webauthn.

The options and the credentials are the JSON of WebAuthn, level 3: what browsers read by
`PublicKeyCredential.parseRequestOptionsFromJSON()` and write by `credential.toJSON()`.
Attestations, which name an authenticator's maker, are not asked for.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_client_data_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CollectedClientData,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from users.models import Account, Passkey
from users.models.passkeys import MAX_CREDENTIAL_ID_BYTES, MAX_PUBLIC_KEY_BYTES

logger = logging.getLogger(__name__)

#: How long people may look for their key.
LIFE = timedelta(minutes=5)
TRANSPORTS = frozenset(AuthenticatorTransport)
MAX_LOGGED_LENGTH = 200
Json = dict[str, Any]


class PasskeyRefused(Exception):
    """A credential proves nothing.

    `account_id` is that of a passkey whose counter did not rise: it may have been copied.
    """

    def __init__(self, account_id: UUID | None = None) -> None:
        super().__init__()
        self.account_id = account_id


@dataclass(frozen=True, slots=True)
class NewKey:
    """What an authenticator has made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


def creation_options(*, account: Account, challenge: bytes) -> Json:
    """Return what a browser needs to have a passkey made that the account does not have yet."""
    preferred = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    options = generate_registration_options(
        rp_id=settings.PASSKEY_RELYING_PARTY.id,
        rp_name=settings.PASSKEY_RELYING_PARTY.name,
        user_id=account.pk.bytes,
        user_name=account.email,
        user_display_name=account.name,
        challenge=challenge,
        timeout=_milliseconds(LIFE),
        authenticator_selection=preferred,
        exclude_credentials=_descriptors(account.passkeys.all()),
    )
    return options_to_json_dict(options)


def request_options(*, passkeys: Iterable[Passkey], challenge: bytes) -> Json:
    """Return what a browser needs to have the challenge signed by one of the passkeys.

    Without passkeys the owner picks one that the authenticator knows; it must check who that is.
    """
    allowed = _descriptors(passkeys)
    verification = UserVerificationRequirement
    options = generate_authentication_options(
        rp_id=settings.PASSKEY_RELYING_PARTY.id,
        challenge=challenge,
        timeout=_milliseconds(LIFE),
        allow_credentials=allowed,
        user_verification=verification.PREFERRED if allowed else verification.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_in(credential: Json) -> bytes:
    """Return the challenge that a credential claims to answer.

    Raises:
        PasskeyRefused: it cannot be read.
    """
    with _refusing():
        return _client_data(credential).challenge


def check_registration(*, credential: Json, challenge: bytes) -> NewKey:
    """Return the key that an authenticator has made for the challenge.

    Raises:
        PasskeyRefused: it was made for something else or by another page, or is no usable key.
    """
    with _refusing():
        _refuse_frames(credential)
        found = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.PASSKEY_RELYING_PARTY.id,
            expected_origin=settings.PASSKEY_RELYING_PARTY.origins,
        )
        # A key that is none would be found out at the next log-in.
        decoded_public_key_to_cryptography(
            decode_credential_public_key(found.credential_public_key)
        )
        transports = [each for each in credential["response"]["transports"] if each in TRANSPORTS]
    if (
        len(found.credential_id) > MAX_CREDENTIAL_ID_BYTES
        or len(found.credential_public_key) > MAX_PUBLIC_KEY_BYTES
    ):
        raise PasskeyRefused
    return NewKey(
        found.credential_id, found.credential_public_key, found.sign_count, sorted(set(transports))
    )


def check_assertion(
    *, credential: Json, challenge: bytes, passkey: Passkey, is_user_verified: bool
) -> int:
    """Return the count with which the passkey has signed the challenge; the caller judges it.

    With `is_user_verified`, the authenticator has asked for a PIN, a finger or the like.

    Raises:
        PasskeyRefused: it has not, or another page asked it to.
    """
    with _refusing():
        _refuse_frames(credential)
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.PASSKEY_RELYING_PARTY.id,
            expected_origin=settings.PASSKEY_RELYING_PARTY.origins,
            credential_public_key=bytes(passkey.public_key),
            # The library looks at the count before the signature, when anybody may have written it.
            credential_current_sign_count=0,
            require_user_verification=is_user_verified,
        )
    return found.new_sign_count


def credential_id_of(credential: Json) -> bytes:
    """Return the id of the key that a credential claims to be of.

    Raises:
        PasskeyRefused: it cannot be read.
    """
    with _refusing():
        return base64url_to_bytes(credential["id"])


def bytes_in(credential: Json, name: str) -> bytes:
    """Return a member of a credential's response; empty where there is none.

    Raises:
        PasskeyRefused: it cannot be read.
    """
    with _refusing():
        return base64url_to_bytes(credential["response"].get(name) or "")


def answer_to(token: str) -> bytes:
    """Return the challenge that stands for a token of ours, which the page must not show."""
    return hashlib.sha256(f"passkey:{token}".encode()).digest()


@contextmanager
def _refusing() -> Iterator[None]:
    """Refuse whatever a parser stumbles over: the library checks much, but raises what it likes."""
    try:
        yield
    except PasskeyRefused:
        raise
    except Exception as error:
        logger.info("passkey refused", extra={"reason": str(error)[:MAX_LOGGED_LENGTH]})
        raise PasskeyRefused from error


def _client_data(credential: Json) -> CollectedClientData:
    return parse_client_data_json(bytes_in(credential, "clientDataJSON"))


def _refuse_frames(credential: Json) -> None:
    """Refuse what was signed in a frame of another site's page, which the library lets pass."""
    if _client_data(credential).cross_origin:
        raise PasskeyRefused


def _descriptors(passkeys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=bytes(each.credential_id),
            transports=[AuthenticatorTransport(name) for name in each.transports],
        )
        for each in passkeys
    ]


def _milliseconds(span: timedelta) -> int:
    return int(span / timedelta(milliseconds=1))
