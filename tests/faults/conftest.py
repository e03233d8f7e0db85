"""The fault suite needs a native stack of its own: it kills and stops what it finds there."""

from collections.abc import Iterator

import pytest
from harness import Person, Shop
from stack import OURS, Stack

from shopper.ops import Ops, load_ops


@pytest.fixture(scope="session")
def ops() -> Ops:
    found = load_ops()
    if not (found.state / "env" / "ops.env").exists():
        pytest.exit(f"no native stack in {found.state}: run `make up` first", returncode=2)
    return found


@pytest.fixture(scope="session")
def shop(ops: Ops) -> Iterator[Shop]:
    shop = Shop(ops)
    yield shop
    shop.http.close()


@pytest.fixture(scope="session")
def stack(ops: Ops) -> Stack:
    return Stack(ops)


@pytest.fixture
def staff(shop: Shop) -> Person:
    return shop.staff()


@pytest.fixture(scope="session")
def _customer(shop: Shop) -> Person:
    return shop.register()


@pytest.fixture
def customer(shop: Shop, _customer: Person) -> Person:
    return shop.log_in(_customer.email, _customer.password)


@pytest.fixture(autouse=True)
def _whole_again(stack: Stack) -> Iterator[None]:
    """However a test ends, the next test finds everything running."""
    yield
    stack.await_running("postgres", "rabbitmq", "redis", "gateway", *OURS)
