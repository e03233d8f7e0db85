"""Fixtures of the tests that need a real broker."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from servicekit.messaging.publisher import Publisher
from servicekit.messaging.relay import Relay
from servicekit.testing.faults import StallingProxy
from tests.messaging.helpers import Sender


@pytest.fixture
def sender(broker_url: str) -> Any:
    sender = Sender(broker_url)
    yield sender
    sender.close()


@pytest.fixture
def relay(broker_url: str) -> Iterator[Relay]:
    with closing(Relay(Publisher(broker_url))) as relay:
        yield relay


@pytest.fixture
def proxy(broker_url: str) -> Iterator[StallingProxy]:
    parts = urlsplit(broker_url)
    with StallingProxy((parts.hostname or "", parts.port or 0)) as proxy:
        proxy.url = urlunsplit(
            (
                parts.scheme,
                f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}",
                parts.path,
                "",
                "",
            )
        )
        yield proxy
