"""The fuzzer asks the native shop that is up, through a gateway of its own with production's
limits.
"""

from collections.abc import Iterator

import pytest
from harness import Shop
from people import People
from stack import Stack

from shopper.edge import production_gateway
from shopper.ops import Ops, load_ops


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requests", type=int, default=3000, help="how many over raw sockets (default: 3000)"
    )
    parser.addoption("--seed", type=int, default=1, help="what they are made from (default: 1)")
    parser.addoption(
        "--first", type=int, default=0, help="number of the first request, to repeat a part"
    )
    parser.addoption(
        "--examples", type=int, default=3, help="schemathesis: of each operation and mode"
    )


@pytest.fixture(scope="session")
def ops() -> Ops:
    found = load_ops()
    if not (found.state / "env" / "ops.env").exists():
        pytest.exit(
            f"no native stack in {found.state}: run `make up RUNTIME=native` first", returncode=2
        )
    return found


@pytest.fixture(scope="session")
def shop(ops: Ops) -> Iterator[Shop]:
    """The shop through its own gateway, which everybody may ask as often as they like."""
    shop = Shop(ops)
    yield shop
    shop.http.close()


@pytest.fixture(scope="session")
def port(ops: Ops) -> Iterator[int]:
    with production_gateway(ops) as port:
        yield port


@pytest.fixture(scope="session")
def people(shop: Shop) -> People:
    return People(shop, "localhost")


@pytest.fixture(scope="session")
def stack(ops: Ops) -> Stack:
    return Stack(ops)
