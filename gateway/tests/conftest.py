"""One gateway for all tests that leave it as they found it; `own_gateway` for those that do not."""

from collections.abc import Callable, Iterator

import pytest
from harness.nginx import Gateway, Services
from harness.upstream import Answer

from servicekit.testing.tokens import Signer, key_set

JWKS = "/.well-known/jwks.json"


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def shared_services(signer: Signer) -> Iterator[Services]:
    services = Services()
    services.users.answers[JWKS] = Answer(body=key_set(signer))
    yield services
    services.stop()


@pytest.fixture(scope="session")
def shared_gateway(shared_services: Services) -> Iterator[Gateway]:
    gateway = Gateway(shared_services)
    yield gateway
    gateway.stop()


@pytest.fixture
def services(shared_services: Services) -> Services:
    for upstream in shared_services.all():
        upstream.seen.clear()
    return shared_services


@pytest.fixture
def gateway(shared_gateway: Gateway, services: Services) -> Gateway:
    return shared_gateway


@pytest.fixture
def own_services(signer: Signer) -> Iterator[Services]:
    services = Services()
    services.users.answers[JWKS] = Answer(body=key_set(signer))
    yield services
    services.stop()


@pytest.fixture
def own_gateway(own_services: Services) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway of the test's own, with the variables it names."""
    started: list[Gateway] = []

    def start(**variables: str) -> Gateway:
        started.append(Gateway(own_services, **variables))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()
