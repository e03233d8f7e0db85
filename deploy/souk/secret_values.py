"""How secrets are made: by chance, and of characters that need no quoting anywhere."""

import base64
import os
import secrets


def token() -> str:
    return secrets.token_hex(32)


def fernet_key() -> str:
    """Return a key as `cryptography.fernet` takes it."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
