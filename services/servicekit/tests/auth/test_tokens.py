"""Access tokens: a good one is read, and none of the hostile ones (reference/reliability.md, list
T) gets further.
"""

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from servicekit.auth import jwks, tokens
from servicekit.testing import tokens as made
from servicekit.testing.fixtures import SetKit
from servicekit.testing.hostile_tokens import HostileToken, hostile_tokens
from servicekit.testing.tokens import SIGNER, Signer, compact, make_claims, make_client_token

pytestmark = pytest.mark.usefixtures("test_keys")
NAMES = [hostile.name for hostile in hostile_tokens()]
ring: list[Signer] = []


def ring_jwks() -> dict[str, Any]:
    """A key set that the tests of rotation change; the setting `token_keys` names it."""
    return {"keys": [signer.jwk() for signer in ring]}


@pytest.fixture
def rotating(set_kit: SetKit) -> Iterator[list[Signer]]:
    set_kit(token_keys=f"{__name__}.ring_jwks")
    ring[:] = [Signer("first")]
    jwks.forget()
    yield ring
    ring.clear()


def test_good_token_is_read() -> None:
    subject, session, now = uuid7(), uuid7(), int(time.time())
    token = SIGNER.token(
        sub=str(subject), sid=str(session), jti="the-id", roles=["customer", "staff"],
        email_verified=True,
        iat=now - 10, nbf=now - 10, exp=now + 290,
    )  # fmt: skip

    claims = tokens.verified(token).claims

    assert claims == tokens.Claims(
        subject=UUID(str(subject)), session_id=UUID(str(session)), token_id="the-id",
        roles=frozenset({"customer", "staff"}), issued_at=now - 10, expires_at=now + 290,
        email_verified=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "souk"]},
        {"roles": []},
        {"email_verified": None},
        {"nbf": int(time.time()) - 86400},
        {"unknown": [1, {"deep": None}]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_unusual_good_token_is_read(changed: dict[str, Any]) -> None:
    assert tokens.verified(SIGNER.token(**changed)).claims.email_verified is False


@pytest.fixture(scope="module")
def hostile_by_name() -> dict[str, HostileToken]:
    return {hostile.name: hostile for hostile in hostile_tokens()}


@pytest.mark.parametrize("name", NAMES)
def test_hostile_token_is_refused_for_its_fault(
    hostile_by_name: dict[str, HostileToken], name: str
) -> None:
    hostile = hostile_by_name[name]

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(hostile.token)

    assert refusal.value.code == hostile.code


def test_hostile_tokens_have_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(NAMES) > 200


@pytest.mark.parametrize("name", NAMES[::7])
def test_hostile_token_is_refused_again(
    hostile_by_name: dict[str, HostileToken], name: str
) -> None:
    """The memory of good tokens must not take in a bad one."""
    for _ in range(2):
        with pytest.raises(tokens.InvalidToken):
            tokens.verified(hostile_by_name[name].token)


def test_token_that_expires_before_it_was_issued_is_refused() -> None:
    now = int(time.time())

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(SIGNER.token(iat=now + 3, exp=now + 3))

    assert refusal.value.code == "time"


def test_hostile_tokens_leave_no_trace_in_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    for hostile in hostile_tokens():
        with pytest.raises(tokens.InvalidToken):
            tokens.verified(hostile.token)

    assert caplog.records == []


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_address_in_the_header_is_never_called(member: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/keys.json"

        with pytest.raises(tokens.InvalidToken):
            tokens.verified(SIGNER.token({member: address}))

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_extra_claims_mean_nothing() -> None:
    extra = {
        "is_staff": True,
        "is_superuser": True,
        "permissions": ["*"],
        "scope": "admin",
        "groups": ["staff"],
    }

    claims = tokens.verified(SIGNER.token(**extra)).claims

    assert claims.roles == {"customer"}


def test_scope_without_a_client_means_nothing() -> None:
    claims = tokens.verified(SIGNER.token(scope="orders:read")).claims

    assert (claims.client_id, claims.scopes) == (None, frozenset())


def test_client_is_read_with_its_scopes() -> None:
    client_id = uuid7()
    token = make_client_token("orders:read", "users:read", client_id=client_id)

    claims = tokens.verified(token).claims

    assert (claims.subject, claims.client_id) == (client_id, client_id)
    assert claims.scopes == {"orders:read", "users:read"}
    assert (claims.roles, claims.email_verified) == ({"machine"}, False)


@pytest.mark.parametrize("value", ["true", 1, [True], {"email_verified": True}])
def test_only_true_verifies_an_email(value: object) -> None:
    assert tokens.verified(SIGNER.token(email_verified=value)).claims.email_verified is False


def test_token_within_the_leeway_is_read() -> None:
    now = int(time.time())

    just_over = tokens.verified(SIGNER.token(iat=now - 300, nbf=now - 300, exp=now - 1)).claims
    not_quite = tokens.verified(SIGNER.token(iat=now + 3, nbf=now + 3)).claims

    assert just_over.expires_at < now < not_quite.issued_at


def test_remembered_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good token is not verified twice, but its time is."""
    now = time.time()
    token = SIGNER.token()
    tokens.verified(token)
    monkeypatch.setattr(time, "time", lambda: now + 304)
    tokens.verified(token)
    monkeypatch.setattr(time, "time", lambda: now + 306)

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(token)

    assert refusal.value.code == "expired"


def test_memory_of_good_tokens_keeps_them_apart() -> None:
    people = [uuid7() for _ in range(50)]
    by_person = {made.make_token(person): UUID(str(person)) for person in people}

    for _ in range(2):
        assert {token: tokens.verified(token).claims.subject for token in by_person} == by_person


def test_memory_of_good_tokens_stays_small() -> None:
    memory = tokens._VerifiedTokens(2)
    claims = tokens.verified(SIGNER.token())

    for name in (b"one", b"two", b"three"):
        memory.put(name, 1, claims)

    assert [memory.get(name, 1) for name in (b"one", b"two", b"three")] == [None, claims, claims]


def test_new_key_is_believed_beside_the_old(
    rotating: list[Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = rotating[0], Signer("second")
    tokens.verified(old.token())
    rotating.append(new)
    _let_pass(monkeypatch, jwks.UNKNOWN_KEY_PAUSE_SECONDS)

    tokens.verified(new.token())
    tokens.verified(old.token())


def test_withdrawn_key_is_believed_no_more(
    rotating: list[Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for a token that was found good while the key was in the set."""
    token = rotating[0].token()
    tokens.verified(token)
    rotating[:] = [Signer("second")]
    _let_pass(monkeypatch, jwks.REFRESH_SECONDS)

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(token)

    assert refusal.value.code == "key"


def test_id_of_a_key_that_was_replaced_is_no_proof(
    rotating: list[Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rotating[0].token()
    tokens.verified(token)
    rotating[:] = [Signer("first")]
    _let_pass(monkeypatch, jwks.REFRESH_SECONDS)

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(token)

    assert refusal.value.code == "signature"


def test_token_cannot_be_judged_without_keys(rotating: list[Signer]) -> None:
    token = rotating[0].token()
    rotating.clear()

    with pytest.raises(jwks.KeysUnavailable):
        tokens.verified(token)


def test_malformed_token_is_refused_even_without_keys(rotating: list[Signer]) -> None:
    rotating.clear()

    with pytest.raises(tokens.InvalidToken):
        tokens.verified("no.token")


def test_token_for_another_audience_or_issuer_of_settings_is_refused(
    set_kit: SetKit,
) -> None:
    ours = SIGNER.seal(compact(SIGNER.header()), compact(make_claims()))
    set_kit(token_issuer="another shop")

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(ours)

    assert refusal.value.code == "issuer"


def _let_pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the machine's clock forward, for us."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + seconds + 1)
