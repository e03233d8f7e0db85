"""PostgreSQL, RabbitMQ and Redis for tests: private, forgetful, and ended even when the run before
them was killed.

TEST_SERVERS says where from: `containers` (testcontainers, with the images of compose.yaml),
`native` (this machine's programs), or `auto`: containers when a Docker engine answers and has the
images or can fetch them.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from native import environment, home, ports, stack, supervisor, variables
from native.layout import Layout, scratch
from native.runtime import NativeRuntime
from souk import dotenv, files
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step

IMAGES = ("POSTGRES_IMAGE", "RABBITMQ_IMAGE", "REDIS_IMAGE")
PULL_SECONDS = 180


def default_layout() -> Layout:
    return scratch("test")


def images(environment: Mapping[str, str]) -> dict[str, str]:
    """The images that compose.yaml would take."""
    text = (REPOSITORY / "compose.yaml").read_text()
    return {
        name: environment.get(name) or re.findall(rf"\$\{{{name}:-([^}}]+)\}}", text)[0]
        for name in IMAGES
    }


def source(environment: Mapping[str, str]) -> tuple[str, str]:
    """("containers" or "native", why).

    Raises:
        CommandError: TEST_SERVERS asks for what cannot be had, or for what there is not.
    """
    asked = environment.get("TEST_SERVERS") or "auto"
    if asked not in ("auto", "containers", "native"):
        raise CommandError(f"TEST_SERVERS is {asked!r}: use auto, containers or native")
    if asked == "native":
        return "native", "TEST_SERVERS=native"
    lacking = _lacking(images(environment))
    if lacking and asked == "containers":
        raise CommandError(
            f"TEST_SERVERS=containers, but {lacking}; `make airgap-images` helps on Debian"
        )
    if lacking:
        return "native", f"TEST_SERVERS=auto, {lacking}"
    return "containers", f"TEST_SERVERS={asked}: {', '.join(images(environment).values())}"


def _lacking(wanted: Mapping[str, str]) -> str:
    """Why containers cannot be had; empty when they can."""
    if not _docker("info"):
        return "no Docker engine answers"
    missing = [image for image in wanted.values() if not _docker("image", "inspect", image)]
    away = [image for image in missing if not _docker("pull", "--quiet", image)]
    return f"there is no image {', '.join(away)}, and no registry that gives it" if away else ""


def _docker(*words: str) -> bool:
    try:
        done = subprocess.run(
            ["docker", *words], capture_output=True, timeout=PULL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def exports(layout: Layout, chosen: ports.Ports) -> dict[str, str]:
    """The variables the tests read."""
    ops = variables.operations(layout, chosen)
    return {
        "TEST_DATABASE_URL": ops["OPS_DATABASE_URL_USERS"].removesuffix("users") + "postgres",
        "TEST_BROKER_URL": ops["OPS_BROKER_URL"].removesuffix("souk") + "%2F",
        "TEST_BROKER_ADMIN_URL": ops["OPS_BROKER_API_URL"],
        "TEST_REDIS_URL": variables.service(layout, chosen, "users", {})["REDIS_URL"],
    }


def start(layout: Layout) -> dict[str, str]:
    """Starts the servers, or finds them running. Returns the variables the tests read."""
    chosen, why = source(dotenv.effective())
    log_step(f"test servers: {chosen} ({why})")
    return _start_containers(layout) if chosen == "containers" else _start_native(layout)


def _start_native(layout: Layout) -> dict[str, str]:
    home.settle(layout)
    home.check_usable(layout)
    with files.locked(layout.state):
        if supervisor.answers(layout):
            log_step("the test servers run already")
            return exports(layout, ports.recorded(layout))
        chosen = stack.start_servers(layout, {"GATEWAY_PORT": "0"}, for_tests=True)
    return exports(layout, chosen)


def _start_containers(layout: Layout) -> dict[str, str]:
    environment.ensure()
    with files.locked(layout.state):
        done = _containers(layout, "start")
        if done.returncode:
            raise CommandError(f"the test containers did not start:\n{done.stderr[-3000:]}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _containers(layout: Layout, command: str) -> subprocess.CompletedProcess[str]:
    words = [
        str(environment.PYTHON),
        str(REPOSITORY / "tools" / "testservers"),
        command,
        layout.digest,
    ]
    variables_of = {**os.environ, **images(dotenv.effective())}
    return subprocess.run(words, env=variables_of, capture_output=True, text=True, check=False)


def end(layout: Layout) -> None:
    """Ends them, wherever they came from, and deletes what they wrote."""
    if environment.PYTHON.exists() and _docker("info"):
        _containers(layout, "stop")
    NativeRuntime(layout).reset()


@contextmanager
def running(layout: Layout | None = None) -> Iterator[dict[str, str]]:
    """Fresh servers for the block; whatever an earlier run has left is ended first, and everything
    deleted after.
    """
    layout = layout or default_layout()
    end(layout)
    try:
        yield start(layout)
    finally:
        end(layout)
