import json
import socket
from collections.abc import Iterator

import pytest

from native import ports
from native.layout import Layout
from souk.console import CommandError

ANY = {"GATEWAY_PORT": "0", "MAIL_PAGE_PORT": "0"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_choose_gives_every_program_a_port_of_its_own(layout: Layout) -> None:
    chosen = ports.choose(layout, ANY)

    assert set(chosen) == set(ports.NAMES)
    assert len(set(chosen.values())) == len(ports.NAMES)
    assert all(port in ports.RANGE for port in chosen.values())


def test_choose_again_keeps_the_ports(layout: Layout) -> None:
    first = ports.choose(layout, {})

    assert ports.choose(layout, {}) == first
    assert ports.recorded(layout) == first


def test_choose_replaces_only_a_port_that_somebody_took(
    layout: Layout, listener: socket.socket
) -> None:
    taken = listener.getsockname()[1]
    before = ports.choose(layout, {}) | {"redis": taken}
    (layout.state / "ports.json").write_text(json.dumps(before))

    after = ports.choose(layout, {})

    assert after["redis"] != taken
    assert {name for name in ports.NAMES if after[name] != before[name]} == {"redis"}


def test_choose_takes_the_gateway_port_that_is_asked_for(layout: Layout) -> None:
    wanted = ports.any_free(set())

    assert ports.choose(layout, {"GATEWAY_PORT": str(wanted)})["gateway"] == wanted


@pytest.mark.parametrize("asked", ["http", "-1", "65536", "80.5"])
def test_choose_refuses_what_is_no_port(layout: Layout, asked: str) -> None:
    with pytest.raises(CommandError, match="GATEWAY_PORT"):
        ports.choose(layout, {"GATEWAY_PORT": asked})


def test_choose_refuses_a_gateway_port_that_is_taken(
    layout: Layout, listener: socket.socket
) -> None:
    with pytest.raises(CommandError, match="is taken"):
        ports.choose(layout, {"GATEWAY_PORT": str(listener.getsockname()[1])})
