from collections.abc import Iterator

import pytest

from servicekit.auth import jwks, revocations, tokens
from users.services import signing_keys


@pytest.fixture
def ring(db: None) -> Iterator[None]:
    """A fresh key ring; nothing that this process remembers comes from another test."""

    def forget() -> None:
        signing_keys.forget_ring()
        jwks.forget()
        tokens.forget_verified()
        revocations.forget()

    forget()
    signing_keys.ensure_signing_keys()
    yield
    forget()
