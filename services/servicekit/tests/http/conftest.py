"""Callers and failing views."""

from collections.abc import Callable, Iterator

import pytest

from servicekit.testing.client import Caller
from servicekit.testing.faults import database_away
from tests.project.views import Failing


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Say what the test project's views shall do."""
    return lambda fail: monkeypatch.setattr(Failing, "fail", staticmethod(fail), raising=False)


@pytest.fixture
def fail_as(fail_with: Callable[..., None]) -> Callable[[BaseException], None]:
    def choose(error: BaseException) -> None:
        def fail() -> None:
            raise error

        fail_with(fail)

    return choose


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    with database_away():
        yield
