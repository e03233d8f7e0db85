"""The suite needs a native shop of its own with a fast ring: `make test PARTS=rotation`."""

from collections.abc import Iterator

import pytest
from harness import Shop

from shopper.ops import load_ops


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    shop = Shop(load_ops())
    yield shop
    shop.http.close()
