"""The suite runs against whatever shop is up: GATEWAY_URL, STAFF_EMAIL and STAFF_PASSWORD, or the
state folder's ops.env.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Person, Shop
from mails import MailSink

from shopper.ops import Ops, StackUnknown, load_ops


@pytest.fixture(scope="session")
def ops() -> Ops:
    found = load_ops()
    try:
        found.gateway  # noqa: B018
    except StackUnknown as error:
        pytest.exit(str(error), returncode=2)
    return found


@pytest.fixture(scope="session")
def shop(ops: Ops) -> Iterator[Shop]:
    shop = Shop(ops)
    yield shop
    shop.http.close()


@pytest.fixture(scope="session")
def mails(ops: Ops) -> Iterator[MailSink]:
    sink = MailSink(ops["SOUK_MAIL_URL"])
    yield sink
    sink.http.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what tests measured (record_property), which pytest keeps to itself."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def _staff_account(shop: Shop) -> Person:
    return shop.staff()


@pytest.fixture(scope="session")
def _customer_account(shop: Shop) -> Person:
    return shop.register()


@pytest.fixture(scope="session")
def _stranger_account(shop: Shop) -> Person:
    return shop.register()


def _fresh(shop: Shop, person: Person) -> Person:
    """Tokens live five minutes, the suite may take longer."""
    tokens = shop.call("POST", "/api/auth/refresh/", json={"refresh_token": person.refresh}).json()
    person.access, person.refresh = tokens["access_token"], tokens["refresh_token"]
    return person


@pytest.fixture
def staff(shop: Shop, _staff_account: Person) -> Person:
    return _fresh(shop, _staff_account)


@pytest.fixture
def customer(shop: Shop, _customer_account: Person) -> Person:
    return _fresh(shop, _customer_account)


@pytest.fixture
def stranger(shop: Shop, _stranger_account: Person) -> Person:
    return _fresh(shop, _stranger_account)


@pytest.fixture
def product(shop: Shop, staff: Person) -> dict[str, Any]:
    return shop.add_product(staff)
