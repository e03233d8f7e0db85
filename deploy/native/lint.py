"""`make lint`: every check that needs nothing running; all of them run, whatever the others say."""

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from native import environment, packages, variables
from native.layout import Layout
from native.ports import NAMES
from souk import commands
from souk.checkout import REPOSITORY, SERVICES, VENV
from souk.console import log_step

BIN = VENV / "bin"
KIT = REPOSITORY / "services" / "servicekit"
PRODUCT = ["services", "gateway", "deploy", "tools"]
# Packages that run as folders below deploy/ and tools/, without Django.
TOOLS = (
    "souk",
    "native",
    "compose",
    "airgap",
    "testservers",
    "shopper",
    "demo",
    "audit",
    "backup",
    "bench",
)


@dataclass(frozen=True)
class Check:
    name: str
    command: list[str]
    folder: Path = REPOSITORY
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    name: str
    code: int
    output: str
    seconds: float


def everything(only: list[str]) -> bool:
    """Runs all checks, or those whose name begins with a word of `only`.

    Returns whether all are content.
    """
    packages.ensure_installed()
    environment.ensure()
    with tempfile.TemporaryDirectory(prefix="souk-lint-") as folder:
        layout = Layout(Path(folder).resolve())
        layout.make()
        checks = [one for one in _checks(layout) if not only or one.name.startswith(tuple(only))]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            outcomes = list(pool.map(_run, checks))
    for one in outcomes:
        if one.code:
            print(f"--- {one.name}\n{one.output.rstrip()}\n")
    for one in outcomes:
        print(f"{one.name:<28} {one.seconds:>6.1f} s  {'FAILED' if one.code else 'ok'}")
    return not any(one.code for one in outcomes)


def _run(check: Check) -> Outcome:
    log_step(check.name)
    started = time.monotonic()
    done = commands.run(check.command, folder=check.folder, variables=check.variables)
    return Outcome(check.name, done.returncode, done.stdout, time.monotonic() - started)


def _checks(layout: Layout) -> list[Check]:
    """The slow ones first, so that two cores end together."""
    ports = dict.fromkeys(NAMES, 1)
    # Production's own variables: what passes here passes there.
    services = {name: variables.service(layout, ports, name, {}) for name in SERVICES}
    return [
        *(_types(layout, name, variables_of) for name, variables_of in services.items()),
        *(
            check
            for name, variables_of in services.items()
            for check in _django(name, variables_of)
        ),
        *_documents(),
        _tool_types(),
        Check("bandit", [str(BIN / "bandit"), "-q", "-ll", "-r", "-c", ".bandit.yaml", *PRODUCT]),
        _imports(services["users"]),
        Check("hadolint", [str(BIN / "hadolint"), "--config", ".hadolint.yaml", *_dockerfiles()]),
        Check("ruff check", [str(BIN / "ruff"), "check", "."]),
        Check("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
        *_gateway(layout),
    ]


def _dockerfiles() -> list[str]:
    found = [
        *REPOSITORY.glob("deploy/*.Dockerfile"),
        *REPOSITORY.glob("deploy/airgap/images/*/Dockerfile"),
    ]
    return [str(path) for path in sorted([*found, REPOSITORY / "gateway" / "Dockerfile"])]


def _types(layout: Layout, name: str, variables_of: dict[str, str]) -> Check:
    """mypy on a service and the kit it uses, with the settings of that service for the Django
    plugin.
    """
    root = (REPOSITORY / "pyproject.toml").read_text()
    configuration = layout.state / f"mypy-{name}.toml"
    configuration.write_text(root.replace('"orders.settings"', f'"{name}.settings"'))
    folder = REPOSITORY / "services" / name
    command = [
        str(BIN / "mypy"), "--config-file", str(configuration), "--cache-dir", str(REPOSITORY / ".mypy_cache" / name),
        "-p", name, "-p", "servicekit",
    ]  # fmt: skip
    search = {"MYPYPATH": f"{folder}:{KIT}", "PYTHONPATH": str(folder)}
    return Check(f"mypy {name}", command, folder, variables_of | search)


def _tool_types() -> Check:
    """mypy on what is below deploy/ and tools/, which use no Django."""
    folders = [REPOSITORY / "deploy", REPOSITORY / "tools"]
    found = [
        name
        for name in TOOLS
        if any((folder / name / "__init__.py").exists() for folder in folders)
    ]
    command = [
        str(BIN / "mypy"), "--config-file", str(REPOSITORY / "deploy" / "mypy.ini"),
        "--cache-dir", str(REPOSITORY / ".mypy_cache" / "tools"),
    ]  # fmt: skip
    packages_of = (word for name in found for word in ("-p", name))
    search = {"MYPYPATH": ":".join(map(str, folders))}
    return Check("mypy deploy, tools", [*command, *packages_of], REPOSITORY, search)


def _django(name: str, variables_of: dict[str, str]) -> list[Check]:
    manage = [str(BIN / "python"), "manage.py"]
    folder = REPOSITORY / "services" / name
    return [
        Check(
            f"migrations {name}",
            [*manage, "makemigrations", "--check", "--dry-run"],
            folder,
            variables_of,
        ),
        Check(
            f"check --deploy {name}",
            [*manage, "check", "--deploy", "--fail-level", "WARNING"],
            folder,
            variables_of,
        ),
    ]


def _imports(variables_of: dict[str, str]) -> Check:
    """The layers of the house style; .importlinter names them."""
    search = ":".join(str(REPOSITORY / "services" / name) for name in SERVICES)
    return Check(
        "lint-imports",
        [str(BIN / "lint-imports")],
        REPOSITORY,
        variables_of | {"PYTHONPATH": search},
    )


def _documents() -> list[Check]:
    native = [str(BIN / "python"), "deploy/native", "documents"]
    return [
        Check(f"documents {kind}", [*native, kind, "--check"]) for kind in ("openapi", "events")
    ]


def _gateway(layout: Layout) -> list[Check]:
    """gixy on what the gateway's templates become; nginx's own opinion too."""
    variables_of = variables.gateway(layout, dict.fromkeys(NAMES, 8080), {})
    render = [str(BIN / "python"), "gateway/render.py", str(layout.gateway)]
    rendered = subprocess.run(
        render,
        cwd=REPOSITORY,
        env={**os.environ, **variables_of},
        capture_output=True,
        text=True,
        check=False,
    )
    if rendered.returncode:
        return [Check("gateway", ["sh", "-c", 'echo "$0"; exit 1', rendered.stderr])]
    configuration = str(layout.gateway / "nginx.conf")
    return [
        Check("gixy", [str(BIN / "gixy"), configuration]),
        Check("nginx -t", [packages.program("nginx"), "-t", "-q", "-c", configuration]),
    ]
