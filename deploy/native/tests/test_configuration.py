import configparser
import shlex
from pathlib import Path

import pytest

from native import programs, variables
from native.layout import LONGEST_SOCKET_PATH, Layout
from native.ports import NAMES
from souk import dotenv

PORTS = {name: 1000 + number for number, name in enumerate(NAMES)}


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_configuration_restarts_every_program_and_starts_only_servers(layout: Layout) -> None:
    wanted = [*programs.servers(layout), *programs.services(layout)]

    parser = read(programs.configuration(layout, wanted))

    found = {
        name.partition(":")[2]: parser[name]
        for name in parser.sections()
        if name.startswith("program:")
    }
    assert list(found) == [program.name for program in wanted]
    assert all(
        program["autorestart"] == "true" and program["killasgroup"] == "true"
        for program in found.values()
    )
    assert {
        name for name, program in found.items() if program["autostart"] == "true"
    } == programs.SERVERS


def test_configuration_is_the_same_when_rendered_again(layout: Layout) -> None:
    wanted = [*programs.servers(layout), *programs.services(layout)]

    assert programs.configuration(layout, wanted) == programs.configuration(layout, wanted)


def test_configuration_survives_blanks_and_percent_signs(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "50% of it")

    parser = read(programs.configuration(layout, programs.services(layout)))

    command = parser["program:gateway"]["command"].replace("%%", "%")
    assert str(layout.plain(layout.gateway)) in shlex.split(command)


def test_configuration_holds_no_secret(layout: Layout) -> None:
    text = programs.configuration(layout, programs.services(layout))

    assert not [path.name for path in layout.secrets.iterdir() if path.read_text().strip() in text]


def test_sockets_fit_however_deep_the_checkout_lies(tmp_path: Path) -> None:
    deep = Layout(tmp_path / ("deep" * 20) / ".souk")

    assert len(str(deep.run / "gateway" / "verifier.sock")) <= LONGEST_SOCKET_PATH
    assert deep.run != Layout(tmp_path / ("deep" * 21) / ".souk").run


@pytest.mark.parametrize("bind", ["", "127.0.0.1", "localhost"])
def test_limits_are_out_of_the_way_while_only_this_machine_asks(layout: Layout, bind: str) -> None:
    found = variables.gateway(layout, PORTS, {"GATEWAY_BIND": bind, "LIMIT_AUTH_RATE": "7r/s"})

    assert found["LIMIT_API_RATE"] == dotenv.LOOPBACK_LIMITS["LIMIT_API_RATE"]
    assert found["LIMIT_AUTH_RATE"] == "7r/s"


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::", "127.evil.example"])
def test_limits_of_production_hold_where_others_reach_the_gateway(
    layout: Layout, bind: str
) -> None:
    """Also when .env still says what `make env` wrote for a loopback address."""
    environment = {"GATEWAY_BIND": bind, **dotenv.LOOPBACK_LIMITS, "LIMIT_AUTH_RATE": "7r/s"}

    found = variables.gateway(layout, PORTS, environment)

    assert {name: value for name, value in found.items() if name.startswith("LIMIT_")} == {
        "LIMIT_AUTH_RATE": "7r/s"
    }


def test_limits_of_production_hold_behind_a_proxy_on_the_same_machine(layout: Layout) -> None:
    found = variables.gateway(
        layout, PORTS, {"GATEWAY_BIND": "127.0.0.1", "TRUSTED_PROXIES": "127.0.0.1"}
    )

    assert not [name for name in found if name.startswith("LIMIT_")]
