"""The files themselves: njs 0.7.9's dialect, nginx's and gixy's opinion, what is rendered."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from harness.client import request
from harness.nginx import GATEWAY, Gateway, free_port, wait_until

SCRIPTS = sorted((GATEWAY / "njs").glob("*.js"))
TEMPLATES = sorted((GATEWAY / "templates").glob("*.template"))
# Each is a syntax error in njs 0.7.9, or worse: `await` inside a call's arguments crashes the
# worker (README).
FORBIDDEN = {
    "await that is not `const x = await call();` or `await call();`": r"^(?!\s*(?:const \w+ ="
    r" )?await [^;]*\bawait\b|\s*(?:const \w+ = )?await ).*\bawait\b",
    "two awaits in one line": r"\bawait\b.*\bawait\b",
    "for…of": r"\bfor\s*(?:await\s*)?\([^;)]*\bof\b",
    "let": r"\blet\b",
    "class": r"\bclass\s+\w",
    "optional chaining": r"\?\.\w|\?\.\[",
    "nullish operator": r"\?\?",
    "destructuring": r"\b(?:const|var)\s*[\[{]",
    "spread": r"\.\.\.\w",
    "Map, Set": r"\bnew (?:Map|Set|WeakMap|URL)\b",
    "shared dictionary or periodic": r"\bngx\.shared\b|\bjs_periodic\b",
    "jwk import": r"importKey\(\s*['\"](?:jwk|raw)['\"]",
}


def code_of(script: Path) -> list[str]:
    return [line.split("//")[0].rstrip() for line in script.read_text().splitlines()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_script_keeps_to_the_dialect(script: Path, what: str) -> None:
    found = [line for line in code_of(script) if re.search(FORBIDDEN[what], line)]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "list.push(await f());",
        "    return await f();",
        "if (await f()) {",
        "const a = g(await f());",
        "const a = [await f()];",
        "x = a + await f();",
    ],
)
def test_lint_finds_the_await_that_crashes(line: str) -> None:
    assert any(re.search(pattern, line) for name, pattern in FORBIDDEN.items() if "await" in name)


def test_configuration_is_accepted_by_nginx(gateway: Gateway, tmp_path: Path) -> None:
    checked = subprocess.run(
        ["nginx", "-t", "-q", "-c", str(gateway.directory / "nginx.conf"), "-g",
        f"pid {tmp_path}/other.pid;"],
        env=gateway.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "duplicate" in checked.stderr or (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("upstreams", ["fixed", "by_name"])
def test_gixy_finds_nothing(tmp_path: Path, upstreams: str) -> None:
    gixy = Path(sys.executable).with_name("gixy")
    assert render(tmp_path, **REQUIRED, UPSTREAMS=upstreams).returncode == 0

    checked = subprocess.run(
        [gixy, str(tmp_path / "conf" / "nginx.conf")], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def variables_of(templates: list[Path]) -> set[str]:
    return {
        name
        for template in templates
        for name in re.findall(r"\$\{([A-Z][A-Z0-9_]*)\}", template.read_text())
    }


def listed_variables() -> dict[str, str]:
    lines = (GATEWAY / "defaults.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_listed_once_and_used() -> None:
    assert variables_of(TEMPLATES) == set(listed_variables())


def render(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run([str(GATEWAY / "container-entry"), "--render"], directory, variables)


def run(
    command: list[str], directory: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "RUN_DIR": str(directory)} | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def written(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (directory / "conf").glob("*")}


REQUIRED = {
    "GATEWAY_LISTEN": "127.0.0.1:1", "USERS_UPSTREAM": "127.0.0.1:2",
    "PRODUCTS_UPSTREAM": "127.0.0.1:3", "ORDERS_UPSTREAM": "127.0.0.1:4",
    "LIVE_UPSTREAM": "127.0.0.1:5",
}  # fmt: skip


@pytest.mark.parametrize("missing", REQUIRED)
def test_missing_variable_is_named(tmp_path: Path, missing: str) -> None:
    rendered = render(tmp_path, **REQUIRED | {missing: ""})

    assert rendered.returncode == 1
    assert (
        rendered.stderr == f"gateway: {missing} is not set: gateway/defaults.env says what it is\n"
    )
    assert written(tmp_path) == {}


@pytest.mark.parametrize("value", ["10", "0.5", "-1", "9s"])
def test_hold_that_is_no_digit_is_refused(tmp_path: Path, value: str) -> None:
    rendered = render(tmp_path, **REQUIRED | {"HOLD_SECONDS": value})

    assert rendered.returncode == 1
    assert (
        rendered.stderr == f"gateway: HOLD_SECONDS is a whole number from 0 to 9, not '{value}'\n"
    )
    assert written(tmp_path) == {}


IN_QUOTES = ['a"', "a\nb", "a\n", "a\rb", "$host", "${PATH}", "a\\"]
ANYWHERE = ["a;b", "a}", "a{", "a'", "a #"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("GATEWAY_HOSTS", "TOKEN_ISSUER")
            for value in (*ANYWHERE, *IN_QUOTES)
        ),
        *(("KEYS_DIR", value) for value in IN_QUOTES),  # paths stand in quotes
    ],
)
def test_value_that_would_be_syntax_is_refused(tmp_path: Path, name: str, value: str) -> None:
    rendered = render(tmp_path, **REQUIRED | {name: value})

    assert rendered.returncode == 1
    assert f"{name} holds a character that nginx would read as syntax" in rendered.stderr
    assert written(tmp_path) == {}


def test_run_directory_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    rendered = render(tmp_path, **REQUIRED | {"RUN_DIR": str(tmp_path / ("x" * 100))})

    assert rendered.returncode == 1
    assert "RUN_DIR is too long" in rendered.stderr


def test_rendered_files_hold_no_variable(tmp_path: Path) -> None:
    assert render(tmp_path, **REQUIRED, GATEWAY_HOSTS="localhost,shop.example.org").returncode == 0

    files = written(tmp_path)
    assert len(files) == len(TEMPLATES)
    assert not [name for name, text in files.items() if "${" in text]
    assert "server_name localhost shop.example.org;" in files["nginx.conf"]


ODD_PATH = "/var/lib/a b;c#d'e{f}[g]"


@pytest.mark.parametrize("name", ["KEYS_DIR", "ACCESS_LOG", "ERROR_LOG", "NJS_DIR", "NJS_MODULE"])
def test_path_in_quotes_may_hold_more(tmp_path: Path, name: str) -> None:
    assert render(tmp_path, **REQUIRED | {name: ODD_PATH}).returncode == 0

    assert f"{ODD_PATH}" in "".join(written(tmp_path).values())


def test_folder_may_be_named_and_stands_for_the_run_directory(tmp_path: Path) -> None:
    command = [str(GATEWAY / "container-entry"), "--render", str(tmp_path / "here")]

    rendered = run(command, tmp_path, REQUIRED | {"RUN_DIR": ""})

    assert rendered.returncode == 0, rendered.stderr
    assert f"{tmp_path}/here/verifier.sock" in (tmp_path / "here" / "verifier.conf").read_text()


def test_trusted_proxies_are_named_to_nginx(tmp_path: Path) -> None:
    proxies = "10.0.0.1, 192.168.0.0/16,fd00::/8"

    assert render(tmp_path, **REQUIRED, TRUSTED_PROXIES=proxies).returncode == 0

    lines = written(tmp_path)["real_ip.conf"].splitlines()
    assert lines[-3:] == [
        "set_real_ip_from 10.0.0.1;",
        "set_real_ip_from 192.168.0.0/16;",
        "set_real_ip_from fd00::/8;",
    ]


def test_upstreams_by_name_are_rendered(tmp_path: Path) -> None:
    names = {
        "UPSTREAMS": "by_name",
        "RESOLVER": "127.0.0.1:5353",
        "USERS_UPSTREAM": "users-web:8000",
    }

    assert render(tmp_path, **REQUIRED | names).returncode == 0

    assert "users-web:8000" in written(tmp_path)["upstreams_by_name.conf"]
    assert "resolver 127.0.0.1:5353" in written(tmp_path)["nginx.conf"]


def test_container_asks_the_name_server_of_its_machine(tmp_path: Path) -> None:
    assert render(tmp_path, **REQUIRED).returncode == 0

    servers = re.findall(r"(?m)^nameserver\s+([0-9.]+)\s*$", Path("/etc/resolv.conf").read_text())
    assert f"resolver {(servers or ['127.0.0.11'])[0]} valid=1s" in written(tmp_path)["nginx.conf"]


@pytest.mark.parametrize(("hosts", "code"), [("127.0.0.1", 0), ("localhost,x", 0), ("stranger", 1)])
def test_health_check_wants_200(gateway: Gateway, hosts: str, code: int) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_HOSTS": hosts,
        "GATEWAY_LISTEN": str(gateway.port),
    }

    checked = subprocess.run(
        [str(GATEWAY / "healthcheck")], env=environment, capture_output=True, check=False
    )

    assert checked.returncode == code


def test_health_check_fails_where_nobody_listens() -> None:
    environment = {"PATH": os.environ["PATH"], "GATEWAY_LISTEN": str(free_port())}

    checked = subprocess.run(
        [str(GATEWAY / "healthcheck")], env=environment, capture_output=True, check=False
    )

    assert checked.returncode != 0


def test_container_entry_becomes_nginx(tmp_path: Path) -> None:
    port = free_port()
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "RUN_DIR": str(tmp_path)}
    values = REQUIRED | {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "ACCESS_LOG": str(tmp_path / "access.log"),
    }
    entry = subprocess.Popen(
        [str(GATEWAY / "container-entry")],
        env=environment | values,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    try:
        wait_until(
            lambda: (tmp_path / "verifier.sock").exists() and answers(port), "nginx to answer"
        )
        entry.send_signal(signal.SIGQUIT)
        told = entry.communicate(timeout=10)[1]
    finally:
        stop_group(entry)

    assert entry.returncode == 0
    assert "[warn]" not in told
    assert "[e" not in told  # error, emerg


def stop_group(process: subprocess.Popen[str]) -> None:
    """Whatever the entry script started, should it not have become nginx itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(port: int) -> bool:
    try:
        return request(port, "GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    "proxy", ["10.0.0.1x", "example.org", "10.0.0.0/", "/8", "any", "0.0.0.0/0", "::/0"]
)
def test_proxy_that_is_no_address_or_everybody_is_refused(tmp_path: Path, proxy: str) -> None:
    rendered = render(tmp_path, **REQUIRED, TRUSTED_PROXIES=f"10.0.0.1,{proxy}")

    assert rendered.returncode == 1
    assert f"TRUSTED_PROXIES names '{proxy}'" in rendered.stderr


@pytest.mark.parametrize(
    ("bind", "rate"), [("192.0.2.1", "50r/s"), ("127.0.0.1", "20000r/s"), ("", "20000r/s")]
)
def test_limits_out_of_the_way_hold_on_a_loopback_address_only(
    tmp_path: Path, bind: str, rate: str
) -> None:
    rendered = render(
        tmp_path, **REQUIRED, GATEWAY_BIND=bind, LIMIT_API_RATE="20000r/s", LIMIT_AUTH_RATE="7r/s"
    )

    assert rendered.returncode == 0
    assert f"zone=api:10m rate={rate};" in written(tmp_path)["limits.conf"]
    assert "zone=auth:10m rate=7r/s;" in written(tmp_path)["limits.conf"]
    assert ("LIMIT_API_RATE" in rendered.stderr) is (rate == "50r/s")
