"""Secrets: made once, one file each, mode 600, never printed."""

import base64
import os
import secrets
from collections.abc import Callable

from native import files
from native.layout import Layout


def token() -> str:
    """A password that needs no quoting anywhere: not in URLs, SQL or configuration files."""
    return secrets.token_hex(32)


def fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def secret(layout: Layout, name: str, make: Callable[[], str] = token) -> str:
    """The stack's secret of that name; made when first asked for."""
    path = layout.secrets / name
    if not path.exists():
        files.write(path, make() + "\n")
    return path.read_text().strip()
