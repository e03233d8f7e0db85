"""A stack's secrets: made once, one file each, mode 600, never printed."""

from collections.abc import Callable

from native.layout import Layout
from souk.files import write_file
from souk.secret_values import token


def secret(layout: Layout, name: str, make: Callable[[], str] = token) -> str:
    """Return the stack's secret of that name; made when first asked for."""
    path = layout.secrets / name
    if not path.exists():
        write_file(path, make() + "\n")
    return path.read_text().strip()
