"""`make lint`: every check that needs nothing running; all of them run, whatever the others say."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from native import packages, variables
from native.layout import Layout
from native.ports import NAMES
from souk import commands
from souk.checkout import PYTHON, REPOSITORY, SERVICES, VENV
from souk.console import log_step

BIN = VENV / "bin"
KIT = REPOSITORY / "services" / "servicekit"
CACHE = REPOSITORY / ".mypy_cache"
PRODUCT = ("services", "gateway", "deploy", "tools")
DOCKERFILES = ("deploy/*.Dockerfile", "deploy/airgap/images/*/Dockerfile", "gateway/Dockerfile")
#: Folders of packages that run by their folder's name, without Django.
WITHOUT_DJANGO = (REPOSITORY / "deploy", REPOSITORY / "tools")


@dataclass(frozen=True)
class Check:
    """A command that ends with 0 when it is content."""

    name: str
    command: Sequence[object]
    folder: Path = REPOSITORY
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    name: str
    code: int
    output: str
    seconds: float


def run_checks(names: Sequence[str]) -> bool:
    """Run all checks, or those whose name begins with one of `names`; print what they found.

    Returns:
        Whether all are content.
    """
    with tempfile.TemporaryDirectory(prefix="souk-lint-") as folder:
        layout = Layout(Path(folder).resolve())
        layout.make()
        wanted = [
            check for check in checks(layout) if not names or check.name.startswith(tuple(names))
        ]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            outcomes = list(pool.map(run_check, wanted))
    print_outcomes(outcomes)
    return all(outcome.code == 0 for outcome in outcomes) and bool(outcomes)


def run_check(check: Check) -> Outcome:
    """Run a check to its end."""
    log_step(check.name)
    started = time.monotonic()
    done = commands.run(check.command, folder=check.folder, variables=check.variables)
    return Outcome(check.name, done.returncode, done.stdout, time.monotonic() - started)


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what the checks that failed said, then a line for each check."""
    for outcome in outcomes:
        if outcome.code:
            print(f"--- {outcome.name}\n{outcome.output.rstrip()}\n")
    for outcome in outcomes:
        word = "FAILED" if outcome.code else "ok"
        print(f"{outcome.name:<28} {outcome.seconds:>6.1f} s  {word}")


def checks(layout: Layout) -> Iterator[Check]:
    """Return all checks, the slow checks first, so that two cores end together."""
    # Production's own variables: what passes here passes there.
    ports = dict.fromkeys(NAMES, 1)
    services = {name: variables.service(layout, ports, name, {}) for name in SERVICES}
    for name, environment in services.items():
        yield _service_types(layout, name, environment)
    for name, environment in services.items():
        yield from _django(name, environment)
    for kind in ("openapi", "events"):
        command = [PYTHON, "tools/checks", "documents", kind, "--check"]
        yield Check(f"documents {kind}", command)
    yield _other_types()
    yield Check("bandit", [BIN / "bandit", "-q", "-ll", "-r", "-c", ".bandit.yaml", *PRODUCT])
    yield _layers(services["users"])
    files = [path for pattern in DOCKERFILES for path in sorted(REPOSITORY.glob(pattern))]
    yield Check("hadolint", [BIN / "hadolint", "--config", ".hadolint.yaml", *files])
    yield Check("ruff check", [BIN / "ruff", "check", "."])
    yield Check("ruff format", [BIN / "ruff", "format", "--check", "."])
    yield from _gateway(layout)


def _service_types(layout: Layout, name: str, environment: Mapping[str, str]) -> Check:
    """mypy on a service and the kit it uses, with that service's settings for the Django plugin."""
    root = (REPOSITORY / "pyproject.toml").read_text()
    configuration = layout.state / f"mypy-{name}.toml"
    configuration.write_text(root.replace('"orders.settings"', f'"{name}.settings"'))
    folder = REPOSITORY / "services" / name
    options = ["--config-file", configuration, "--cache-dir", CACHE / name]
    command = [BIN / "mypy", *options, "-p", name, "-p", "servicekit"]
    search = {"MYPYPATH": f"{folder}:{KIT}", "PYTHONPATH": str(folder)}
    return Check(f"mypy {name}", command, folder, {**environment, **search})


def _other_types() -> Check:
    """mypy on every package below deploy/ and tools/."""
    names = [path.parent.name for root in WITHOUT_DJANGO for path in root.glob("*/__init__.py")]
    options = ["--config-file", REPOSITORY / "deploy" / "mypy.ini", "--cache-dir", CACHE / "tools"]
    packages_of = [word for name in sorted(names) for word in ("-p", name)]
    search = {"MYPYPATH": ":".join(map(str, WITHOUT_DJANGO))}
    return Check("mypy deploy, tools", [BIN / "mypy", *options, *packages_of], REPOSITORY, search)


def _django(name: str, environment: Mapping[str, str]) -> Iterator[Check]:
    folder = REPOSITORY / "services" / name
    for title, words in (
        ("migrations", ("makemigrations", "--check", "--dry-run")),
        ("check --deploy", ("check", "--deploy", "--fail-level", "WARNING")),
    ):
        yield Check(f"{title} {name}", [PYTHON, "manage.py", *words], folder, environment)


def _layers(environment: Mapping[str, str]) -> Check:
    """The layers of the house style; .importlinter names them."""
    search = ":".join(str(REPOSITORY / "services" / name) for name in SERVICES)
    variables_of = {**environment, "PYTHONPATH": search}
    return Check("lint-imports", [BIN / "lint-imports"], REPOSITORY, variables_of)


def _gateway(layout: Layout) -> Iterator[Check]:
    """gixy on what the gateway's templates become; nginx's own opinion too."""
    environment = variables.gateway(layout, dict.fromkeys(NAMES, 8080), {})
    render = [REPOSITORY / "gateway" / "container-entry", "--render", layout.gateway]
    commands.run_checked("rendering the gateway", render, variables=environment)
    configuration = layout.gateway / "nginx.conf"
    yield Check("gixy", [BIN / "gixy", configuration])
    yield Check("nginx -t", [packages.program("nginx"), "-t", "-q", "-c", configuration])
