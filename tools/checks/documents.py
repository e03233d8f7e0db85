"""The documents made from the code and committed: OpenAPI per service, AsyncAPI for the events."""

from pathlib import Path

from checks import manage
from native.layout import Layout
from souk.checkout import REPOSITORY, SERVICES

OPENAPI = REPOSITORY / "docs" / "openapi"


def write(kind: str, *, only_compares: bool) -> bool:
    """Write docs/openapi/*.json (`openapi`) or docs/asyncapi.json and its schemas (`events`).

    Returns:
        False when `only_compares` is set and a document is not what the code says.

    Raises:
        CommandError: a document could not be made, or does not hold; says why.
    """
    with manage.made_up() as layout:
        if kind == "events":
            manage.run(layout, "users", "export_events", *(["--check"] if only_compares else []))
            return True
        written = [_openapi(layout, name, only_compares=only_compares) for name in SERVICES]
        return all(written)


def _openapi(layout: Layout, name: str, *, only_compares: bool) -> bool:
    fresh, committed = layout.state / f"{name}.json", OPENAPI / f"{name}.json"
    options = ("--format", "openapi-json", "--validate", "--fail-on-warn")
    manage.run(layout, name, "spectacular", *options, "--file", str(fresh))
    return settle(fresh.read_text(), committed, only_compares=only_compares)


def settle(text: str, committed: Path, *, only_compares: bool) -> bool:
    """Write the text, or say that the committed file is another. Returns whether it is the same."""
    text = text.rstrip("\n") + "\n"
    name = committed.relative_to(REPOSITORY) if committed.is_relative_to(REPOSITORY) else committed
    if committed.exists() and committed.read_text() == text:
        return True
    if only_compares:
        print(f"{name} is out of date: `make openapi` and commit it")
        return False
    committed.write_text(text)
    print(f"wrote {name}")
    return True
