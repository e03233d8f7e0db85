"""The suite of the containers themselves: it stops, kills and starts those of the shop that is up
(`make containers`).
"""

from collections.abc import Iterator

import pytest
from containers import Containers
from harness import Person, Shop
from load import Load

from shopper.ops import Ops, load_ops


@pytest.fixture(scope="session")
def containers() -> Containers:
    found = Containers()
    if not found.names():
        pytest.exit(
            "no container of the shop is there: `make up RUNTIME=compose` first", returncode=2
        )
    return found


@pytest.fixture(scope="session")
def ops() -> Ops:
    return load_ops()


@pytest.fixture(scope="session")
def shop(ops: Ops) -> Iterator[Shop]:
    shop = Shop(ops)
    yield shop
    shop.http.close()


@pytest.fixture
def load(shop: Shop, containers: Containers) -> Load:
    """Clients that do not stop asking; each test has fresh tokens."""
    containers.await_well()
    staff = shop.staff()
    product = shop.add_product(staff, stock=10_000_000)
    return Load(shop, shop.register(), product["id"])


@pytest.fixture
def whole_again(containers: Containers) -> Iterator[None]:
    """However a test ends, the next test finds everything running."""
    yield
    containers.up()


@pytest.fixture(scope="session")
def staff(shop: Shop) -> Person:
    return shop.staff()
