"""What may be committed at all."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: Editions of a data set that people have, as they have them.
SAMPLES = REPOSITORY / "tools" / "demo" / "tests" / "editions"
BINARY_SAMPLES = {".xlsx", ".zip", ".gz", ".txt"}  # .txt: in UTF-16


def test_no_committed_file_names_a_registry_or_a_machine(committed: list[Path]) -> None:
    # Spelled so that this file does not name them either.
    names = re.compile(
        rb"python[h]osted\.org|registry\.npm[j]s|deb\.debi[a]n\.org|/w[o]rk/(main|shared)"
    )

    assert [path for path in committed if names.search(path.read_bytes())] == []


def test_nothing_binary_is_committed_but_samples(committed: list[Path]) -> None:
    """Wheels, archives and compiled files are built, not kept. Binary is what git takes for it.

    Catalogues of translations are kept compiled, for neither image nor host has gettext; the tests
    of users compare them with their text (docs/adr/0097-mails-have-an-outbox.md).
    """
    binary = [path for path in committed if path.suffix != ".mo" and b"\0" in path.read_bytes()]

    assert binary
    assert [
        str(path) for path in binary if path.parent != SAMPLES or path.suffix not in BINARY_SAMPLES
    ] == []
