"""Natively each process has what its container has, with the addresses and secrets of here."""

import pytest
import yaml

from native import stack, variables
from native.layout import Layout
from native.ports import NAMES
from souk.checkout import PROCESSES, REPOSITORY

PORTS = {name: 20_000 + number for number, name in enumerate(NAMES)}
CONTAINERS = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
HOSTS = [f"@{name}:" for name in CONTAINERS] + [f"//{name}:" for name in CONTAINERS]


@pytest.mark.parametrize("name", [*PROCESSES, *stack.ONE_SHOTS, "gateway", "mailsink", "ops"])
def test_container_without_its_network_has_the_same_variables(layout: Layout, name: str) -> None:
    found = variables.container(layout, PORTS, name, {})

    assert found.keys() == CONTAINERS[name]["environment"].keys()
    assert [key for key, text in found.items() if "$" in text] == []
    assert [key for key, text in found.items() if any(host in text for host in HOSTS)] == []


def test_secrets_of_containers_in_the_environment_are_not_ours(layout: Layout) -> None:
    outside = {"DB_PASSWORD_ORDERS": "theirs", "SECRET_KEY_ORDERS": "theirs", "LOG_LEVEL": "DEBUG"}

    found = variables.service(layout, PORTS, "orders", outside)

    assert found["LOG_LEVEL"] == "DEBUG"
    assert "theirs" not in "".join(found.values())
    assert layout.secret("postgres-orders") in found["DATABASE_URL"]


def test_one_shots_alone_have_the_rights_of_a_superuser(layout: Layout) -> None:
    admin = layout.secret("postgres-postgres")

    one_shot = variables.one_shot(layout, PORTS, "users-migrate")
    lasting = variables.service(layout, PORTS, "users", {})

    assert admin in one_shot["ADMIN_DATABASE_URL"]
    assert one_shot["STAFF_PASSWORD"] == layout.secret("staff")
    assert admin not in "".join(lasting.values())
    assert "STAFF_PASSWORD" not in lasting


def test_suites_and_tools_find_each_service_and_the_gateway(layout: Layout) -> None:
    found = variables.operations(layout, PORTS)

    assert found["GATEWAY_URL"] == f"http://127.0.0.1:{PORTS['gateway']}"
    assert found["ORDERS_URL"] == f"http://127.0.0.1:{PORTS['orders']}"
    assert found["OPS_DATABASE_URL_ORDERS"].endswith(f"@127.0.0.1:{PORTS['postgres']}/orders")
    assert found["SOUK_MAIL_URL"] == f"http://127.0.0.1:{PORTS['mail_page']}"
    assert found["SOUK_STATE_DIR"] == str(layout.state)


def test_users_asks_for_passkeys_at_the_gateway(layout: Layout) -> None:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_HOSTS": "localhost"}

    found = variables.service(layout, PORTS, "users", environment)

    assert found["GATEWAY_PORT"] == str(PORTS["gateway"])
    assert found["GATEWAY_HOSTS"] == "localhost"
    assert "GATEWAY_PORT" not in variables.service(layout, PORTS, "orders", environment)


def test_mails_go_to_the_sink_unless_a_server_is_named(layout: Layout) -> None:
    server = {"EMAIL_URL": "smtp://user:word@mail.example.org:587/?tls=true"}

    for name in ("users", "products"):
        unset = variables.service(layout, PORTS, name, {})["EMAIL_URL"]
        assert unset == f"smtp://127.0.0.1:{PORTS['mail']}"
        assert variables.service(layout, PORTS, name, server)["EMAIL_URL"] == server["EMAIL_URL"]


def test_mail_sink_listens_for_this_machine_alone(layout: Layout) -> None:
    assert variables.mailsink(layout, PORTS) == {
        "MAIL_SINK_SMTP": f"127.0.0.1:{PORTS['mail']}",
        "MAIL_SINK_PAGE": f"127.0.0.1:{PORTS['mail_page']}",
    }
