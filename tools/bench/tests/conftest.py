"""Generated catalogues on the tests' PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.generated.servers import Catalogues
from native import variables
from native.layout import Layout
from native.ports import NAMES


@pytest.fixture(scope="session")
def server() -> str:
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        pytest.exit(
            "TEST_DATABASE_URL is not set: run `make test`, or `. <(python3 deploy/souk test-env)`",
            returncode=2,
        )
    return url


@pytest.fixture(scope="session")
def catalogues(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogues]:
    layout = Layout(Path(tmp_path_factory.mktemp("stack")))
    layout.make()
    own = variables.service(layout, dict.fromkeys(NAMES, 1), "products", {})
    catalogues = Catalogues(server, {**os.environ, **own})
    catalogues.drop()
    yield catalogues
    catalogues.drop()
