"""Facts that no single part can check: what is written in two places says the same."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
READERS = {"text", "secret", "boolean", "choice", "integer", "names", "database", "encryption_keys"}
READERS |= {"email", "email_address", "email_addresses"}
DOCUMENTED = set(
    re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
)


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        found = (REPOSITORY / folder).rglob("*.py")
        yield from (path for path in found if "tests" not in path.parts)


def variables_read(path: Path) -> set[str]:
    """Names given as literals to servicekit.env's functions, or to os.environ itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if called and node.args and _reads_environment(node.func):
            found |= _literals(node.args[0])
        if (
            isinstance(node, ast.Subscript)
            and _is_read(node)
            and ast.unparse(node.value) == "os.environ"
        ):
            found |= _literals(node.slice)
    return {name for name in found if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}


def _reads_environment(function: ast.Attribute) -> bool:
    owner = ast.unparse(function.value)
    return (owner == "env" and function.attr in READERS) or (
        owner == "os.environ" and function.attr == "get"
    )


def _is_read(node: ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _literals(node: ast.expr) -> set[str]:
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_every_variable_that_is_read_is_documented() -> None:
    read = {name: path for path in sources("services") for name in variables_read(path)}

    known = (
        DOCUMENTED
        | {f"{name}_FILE" for name in DOCUMENTED}
        | {"DJANGO_SETTINGS_MODULE", "CONTRACTS"}
    )
    undocumented = {
        name: str(path.relative_to(REPOSITORY)) for name, path in read.items() if name not in known
    }
    assert not undocumented, f"describe them in .env.example: {undocumented}"


def test_every_setting_of_the_services_is_read_and_passed_on() -> None:
    """A new setting is two edits: where it is read, and .env.example."""
    example = (REPOSITORY / ".env.example").read_text()
    section = re.search(r"^# --- For every service:(.*?)^# --- ", example, re.MULTILINE | re.DOTALL)
    assert section
    documented = set(re.findall(r"^#([A-Z][A-Z0-9_]*)=", section[1], re.MULTILINE))
    read = {name for path in sources("services") for name in variables_read(path)}
    command = [sys.executable, "-m", "checks.service_settings", "--check"]

    check = subprocess.run(
        command, cwd=REPOSITORY / "tools", capture_output=True, text=True, check=False
    )

    assert documented - read == set(), "nothing reads them"
    assert check.returncode == 0, check.stdout


def test_services_read_the_environment_through_the_kit_only() -> None:
    allowed = {"manage.py", "wsgi.py", "asgi.py", "celery.py", "env.py"}
    guilty = [
        str(path.relative_to(REPOSITORY))
        for path in sources("services/users", "services/products", "services/orders")
        if path.name not in allowed and "os.environ" in path.read_text()
    ]

    assert not guilty


@pytest.mark.parametrize("name", ["users", "products", "orders"])
def test_service_builds_requests_with_the_kit(name: str) -> None:
    """Django's own would raise at a Content-Type that it cannot read
    (docs/adr/0067-input-is-bounded.md).
    """
    text = (REPOSITORY / "services" / name / name / "wsgi.py").read_text()

    assert "from servicekit.http.wsgi import get_wsgi_application" in text
    assert "django.core.wsgi" not in text


def test_gateway_and_services_have_the_same_rules_for_tokens() -> None:
    rules: dict[str, Any] = {}
    exec((REPOSITORY / "services/servicekit/servicekit/auth/token_rules.py").read_text(), rules)  # noqa: S102
    njs = "".join((REPOSITORY / "gateway" / "njs" / name).read_text() for name in (
        "claims.js", "encoding.js", "verifier.js"
    ))  # fmt: skip
    numbers = {
        "LEEWAY_SECONDS": "LEEWAY_SECONDS",
        "LONGEST_LIFE_SECONDS": "LONGEST_LIFE_SECONDS",
        "MAX_TOKEN_BYTES": "MAX_TOKEN_CHARACTERS",
        "MAX_MEMBERS": "MAX_MEMBERS",
        "MAX_KEY_ID_LENGTH": "MAX_KEY_ID_LENGTH",
        "MAX_TEXT_LENGTH": "MAX_TEXT_LENGTH",
    }

    assert {
        name: re.findall(rf"^var {same} = (\d+);$", njs, re.MULTILINE)
        for name, same in numbers.items()
    } == {name: [str(rules[name])] for name in numbers}
    assert re.findall(r"^var MACHINE = '(.*)';$", njs, re.MULTILINE) == [rules["MACHINE"]]
    assert re.findall(r"^var SCOPES = /\^(.*)\$/;$", njs, re.MULTILINE) == [rules["SCOPES"]]
    forbidden = re.findall(r"^var FORBIDDEN_HEADERS = \[(.*)\];$", njs, re.MULTILINE)
    assert set(re.findall(r"'([^']+)'", forbidden[0])) == rules["FORBIDDEN_HEADERS"]


def test_roles_and_scopes_that_services_read_are_those_that_users_grants() -> None:
    granted, read = facts_of_roles("users"), [facts_of_roles("products"), facts_of_roles("orders")]

    scopes = {name: text for facts in read for name, text in facts["SCOPES"].items()}
    own = {granted["USERS_READ"]: granted["SCOPES"][granted["USERS_READ"]]}
    assert scopes | own == granted["SCOPES"]
    roles = {
        facts[name]
        for facts in read
        for name in ("CATALOGUE", "FULFILMENT", "SUPPORT")
        if name in facts
    }
    assert roles | {"admin"} == set(granted["STAFF_ROLES"])


def facts_of_roles(service: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    exec((REPOSITORY / "services" / service / service / "roles.py").read_text(), facts)  # noqa: S102
    return facts


def test_issuer_gives_tokens_no_longer_life_than_is_accepted() -> None:
    rules = seconds_in("services/servicekit/servicekit/auth/token_rules.py")
    issued = (REPOSITORY / "services/users/users/settings.py").read_text()

    limits = re.findall(r'"ACCESS_TOKEN_SECONDS", (\d+), minimum=\d+, maximum=(\d+)', issued)
    assert limits == [(str(int(rules["LONGEST_LIFE_SECONDS"])),) * 2]
    by_default = (REPOSITORY / "services/servicekit/servicekit/conf.py").read_text()
    assert f"token_life_seconds: int = {limits[0][0]}\n" in by_default


def seconds_in(path: str) -> dict[str, float]:
    """The limits in seconds that a file assigns, by name."""
    text = (REPOSITORY / path).read_text()
    return {
        name: float(value)
        for name, value in re.findall(
            r"^(?:var )?(\w+) ?= ?(\d+(?:\.\d+)?)s?;?$", text, re.MULTILINE
        )
    }


def test_withdrawn_key_is_refused_in_the_time_that_its_command_promises() -> None:
    users = seconds_in("services/users/users/services/signing_keys.py")
    kit = seconds_in("services/servicekit/servicekit/auth/jwks.py")
    script, verifier = seconds_in("gateway/njs/keys.js"), seconds_in("gateway/njs/verifier.js")
    gateway = seconds_in("gateway/defaults.env")
    asking = re.findall(
        r"^CONNECT_SECONDS, READ_SECONDS = ([0-9.]+), ([0-9.]+)$",
        (REPOSITORY / "services/servicekit/servicekit/auth/jwks.py").read_text(),
        re.MULTILINE,
    )
    answer_seconds = sum(float(each) for each in asking[0])
    promised, ring = users["REFUSED_WITHIN_SECONDS"], users["RING_CACHE_SECONDS"]

    # Each key set is as old as its oldest user allows, the ring behind it as old as it may be, and
    # a verdict is remembered last.
    assert ring + kit["TOO_OLD_SECONDS"] + answer_seconds <= promised
    assert (
        ring + script["TOO_OLD_SECONDS"] + answer_seconds + verifier["VERDICT_SECONDS"] <= promised
    )
    assert ring + users["LONGEST_MAX_AGE_SECONDS"] <= promised
    assert max(gateway["KEYS_REFRESH"], gateway["KEYS_COOLDOWN"]) <= script["TOO_OLD_SECONDS"]


def test_gateway_knows_revoked_sessions_for_as_long_as_their_tokens_live() -> None:
    rules = seconds_in("services/servicekit/servicekit/auth/token_rules.py")
    script = seconds_in("gateway/njs/revocations.js")

    # As servicekit.auth.revocations.KEEP.
    kept = rules["LONGEST_LIFE_SECONDS"] + 2 * rules["LEEWAY_SECONDS"]
    assert script["KEEP_SECONDS"] == kept
    # Whole seconds are up to one more; and users may take two to answer.
    assert script["TOO_OLD_SECONDS"] + 1 + 2 <= 5


def test_every_make_target_is_in_the_readme_or_the_operations_page() -> None:
    targets = re.findall(
        r"^([a-z0-9-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE
    )
    operations = REPOSITORY / "docs" / "operations.md"
    text = (REPOSITORY / "README.md").read_text() + (
        operations.read_text() if operations.exists() else ""
    )

    assert targets
    missing = [
        name
        for name in targets
        if f"make {name}" not in text and name not in ("help", "clean", "restart")
    ]
    assert not missing


def test_every_event_is_in_the_events_page_and_in_the_topology() -> None:
    events = {path.stem for path in (REPOSITORY / "services").glob("*/contracts/*.json")}
    page = (REPOSITORY / "docs" / "events.md").read_text()
    topology = (REPOSITORY / "deploy" / "topology.json").read_text()

    assert events
    assert {name for name in events if f"`{name}`" not in page} == set()
    routed = set(re.findall(r'"([a-z]+\.[a-z_]+\.v\d+)"', topology))
    assert events <= routed
    # While an upgrade runs, the release before still sends the version before.
    versions_before = {re.sub(r"\d+$", lambda n: str(int(n[0]) - 1), name) for name in events}
    assert routed - events <= versions_before


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "services").glob("*/contracts/*.json")), ids=lambda path: path.stem
)
def test_contract_sample_is_valid_by_its_schema(path: Path) -> None:
    schema = json.loads((path.parent / "schemas" / path.name).read_text())

    jsonschema.validate(
        json.loads(path.read_text()), schema, format_checker=jsonschema.FormatChecker()
    )


def test_every_decision_that_is_cited_exists(committed: list[Path]) -> None:
    cited = {
        name
        for path in committed
        if path.suffix in {".py", ".md", ".js", ".template"}
        for name in re.findall(r"docs/adr/(\d{4}-[a-z0-9-]+)", path.read_text())
    }

    there = {path.stem for path in (REPOSITORY / "docs" / "adr").glob("*.md")}
    assert cited
    assert cited - there == set()


def pinned(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["users", "products", "orders"])
def test_versions_agree_between_a_service_and_the_workspace(name: str) -> None:
    everywhere = pinned(REPOSITORY / "requirements.txt")
    service = pinned(REPOSITORY / "services" / name / "requirements.txt")

    assert service
    assert not {
        package for package, version in service.items() if everywhere.get(package) != version
    }


def test_exact_versions_are_what_was_locked() -> None:
    everywhere = pinned(REPOSITORY / "requirements.txt")
    wanted = [
        line
        for path in (REPOSITORY / "services").glob("*/pyproject.toml")
        for line in tomllib.loads(path.read_text())["project"]["dependencies"]
    ] + tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]["dev"]

    exact = dict(re.sub(r"\[.*?\]", "", line).split("==") for line in wanted if "==" in line)
    assert exact
    assert {name: everywhere.get(name) for name in exact} == exact


def test_every_requirement_has_a_hash_and_no_registry_address() -> None:
    for path in (
        REPOSITORY / "requirements.txt",
        *(REPOSITORY / "services").glob("*/requirements.txt"),
    ):
        text = path.read_text()
        blocks = re.split(r"\n(?=\S)", text.strip())
        packages = [block for block in blocks if "==" in block.splitlines()[0]]
        assert packages
        assert not [block.split()[0] for block in packages if "--hash=sha256:" not in block], path
        assert "://" not in text, path


COMPOSE = (REPOSITORY / "compose.yaml").read_text()


def test_every_variable_of_compose_is_documented() -> None:
    read = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", COMPOSE))

    assert read
    assert read - DOCUMENTED == set()


def test_default_images_are_exact_versions() -> None:
    images = re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", COMPOSE)

    assert {name for name, _ in images} == {
        f"{each}_IMAGE" for each in ("PYTHON", "POSTGRES", "RABBITMQ", "REDIS", "NGINX")
    }
    assert [
        image for _, image in images if not re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)*$", image)
    ] == []
    example = (REPOSITORY / ".env.example").read_text()
    assert [image for name, image in images if f"#{name}={image}" not in example] == []


def test_dockerfiles_take_the_same_images_as_compose() -> None:
    files = [*(REPOSITORY / "deploy").glob("*.Dockerfile"), REPOSITORY / "gateway" / "Dockerfile"]
    said = {
        line for file in files for line in re.findall(r"ARG ([A-Z]+_IMAGE)=(\S+)", file.read_text())
    }

    assert said
    assert said <= set(re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", COMPOSE))


def test_no_image_adds_or_holds_secrets() -> None:
    """CIS 4.9 and 4.10: COPY only, and no secret by ARG or ENV."""
    for file in (
        *(REPOSITORY / "deploy").glob("*.Dockerfile"),
        REPOSITORY / "gateway" / "Dockerfile",
    ):
        text = file.read_text()
        assert not re.search(r"^ADD ", text, re.MULTILINE), file
        assert not re.search(r"^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN_KEY)", text, re.MULTILINE), file


def test_deploy_and_services_count_connections_alike() -> None:
    kit = (
        REPOSITORY / "services" / "servicekit" / "servicekit" / "operations" / "web_size.py"
    ).read_text()
    deploy = (REPOSITORY / "deploy" / "souk" / "connections.py").read_text()

    reserved = [
        re.findall(rf"^{name} = (\d+)", text, re.MULTILINE)
        for name, text in (("RESERVED_CONNECTIONS", kit), ("RESERVED", deploy))
    ]
    assert reserved[0]
    assert reserved[0] == reserved[1]
    defaults = re.findall(r'integer\("(WEB_(?:PROCESSES|THREADS))", (\d+)', kit)
    assert len(defaults) == 2
    assert [name for name, number in defaults if f'"{name}": {number}' not in deploy] == []
