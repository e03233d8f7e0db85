"""The files themselves: the dialect of njs 0.7.9, nginx's and gixy's opinion, the render script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness.nginx import GATEWAY, Gateway

SCRIPTS = sorted((GATEWAY / "njs").glob("*.js"))
TEMPLATES = sorted((GATEWAY / "templates").glob("*.template"))
# Each is a syntax error in njs 0.7.9, or worse: `await` inside a call's arguments crashes the worker (README).
FORBIDDEN = {
    "await that is not `const x = await call();` or `await call();`": r"^(?!\s*(?:const \w+ = )?await [^;]*\bawait\b|\s*(?:const \w+ = )?await ).*\bawait\b",
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
        ["nginx", "-t", "-q", "-c", str(gateway.directory / "nginx.conf"), "-g", f"pid {tmp_path}/other.pid;"],
        env=gateway.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "duplicate" in checked.stderr or (checked.returncode, checked.stderr) == (0, "")


def test_gixy_finds_nothing(gateway: Gateway) -> None:
    gixy = Path(sys.executable).with_name("gixy")

    checked = subprocess.run(
        [gixy, str(gateway.directory / "nginx.conf")], capture_output=True, text=True, check=False
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
    command = [sys.executable, str(GATEWAY / "render.py"), str(directory)]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"]} | variables, capture_output=True, text=True, check=False
    )


REQUIRED = {
    "GATEWAY_LISTEN": "127.0.0.1:1", "USERS_UPSTREAM": "127.0.0.1:2", "PRODUCTS_UPSTREAM": "127.0.0.1:3", "ORDERS_UPSTREAM": "127.0.0.1:4",
}  # fmt: skip


@pytest.mark.parametrize("missing", REQUIRED)
def test_missing_variable_is_named(tmp_path: Path, missing: str) -> None:
    rendered = render(
        tmp_path / "out", **{name: value for name, value in REQUIRED.items() if name != missing}
    )

    assert rendered.returncode == 1
    assert rendered.stderr == f"gateway: {missing} is not set: gateway/defaults.env says what it is\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["a;b", "a}", "a{", 'a"', "a'", "a\nb", "$host"])
def test_value_that_would_be_syntax_is_refused(tmp_path: Path, value: str) -> None:
    rendered = render(tmp_path / "out", **REQUIRED, GATEWAY_HOSTS=value)

    assert rendered.returncode == 1
    assert "GATEWAY_HOSTS" in rendered.stderr


def test_rendered_files_hold_no_variable(tmp_path: Path) -> None:
    assert render(tmp_path / "out", **REQUIRED, GATEWAY_HOSTS="localhost,shop.example.org").returncode == 0

    written = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.conf")}
    assert len(written) == len(TEMPLATES)
    assert not [name for name, text in written.items() if "${" in text]
    assert "server_name localhost shop.example.org;" in written["nginx.conf"]
