import pytest

from servicekit.testing.client import Caller


@pytest.fixture
def customer(test_keys: None) -> Caller:
    return Caller("customer")


@pytest.fixture
def stranger(test_keys: None) -> Caller:
    return Caller("customer")


@pytest.fixture
def staff(test_keys: None) -> Caller:
    return Caller("customer", "staff")


@pytest.fixture
def nobody(test_keys: None) -> Caller:
    return Caller()
