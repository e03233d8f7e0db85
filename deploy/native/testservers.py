"""PostgreSQL, RabbitMQ and Redis for tests: private, forgetful, and ended even when the run before them was killed.

TEST_SERVERS says where from: `containers` (testcontainers, with the images of compose.yaml), `native` (this machine's programs), or
`auto`: containers when a Docker engine answers and has the images or can fetch them.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from native import environment, files, home, packages, ports, stack, supervisor, variables
from native.errors import Cannot
from native.layout import REPOSITORY, Layout, scratch
from native.progress import say

IMAGES = ("POSTGRES_IMAGE", "RABBITMQ_IMAGE", "REDIS_IMAGE")
PULL_SECONDS = 180


def default_layout() -> Layout:
    return scratch("test")


def images(environment: Mapping[str, str]) -> dict[str, str]:
    """The images that compose.yaml would take."""
    text = (REPOSITORY / "compose.yaml").read_text()
    return {
        name: environment.get(name) or re.findall(rf"\$\{{{name}:-([^}}]+)\}}", text)[0] for name in IMAGES
    }


def source(environment: Mapping[str, str]) -> tuple[str, str]:
    """("containers" or "native", why).

    Raises:
        Cannot: TEST_SERVERS asks for what cannot be had, or for what there is not.
    """
    asked = environment.get("TEST_SERVERS") or "auto"
    if asked not in ("auto", "containers", "native"):
        raise Cannot(f"TEST_SERVERS is {asked!r}: use auto, containers or native")
    if asked == "native":
        return "native", "TEST_SERVERS=native"
    lacking = _lacking(images(environment))
    if lacking and asked == "containers":
        raise Cannot(f"TEST_SERVERS=containers, but {lacking}; `make airgap-images` helps on Debian")
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
        done = subprocess.run(["docker", *words], capture_output=True, timeout=PULL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def exports(layout: Layout, chosen: ports.Ports) -> dict[str, str]:
    """The variables the tests read."""
    return {
        "TEST_DATABASE_URL": variables.database_url(layout, chosen, "postgres"),
        "TEST_BROKER_URL": variables.broker_url(layout, chosen, "admin", "%2F"),
        "TEST_BROKER_ADMIN_URL": variables.broker_api_url(layout, chosen),
        "TEST_REDIS_URL": variables.redis_url(layout, chosen),
    }


def start(layout: Layout) -> dict[str, str]:
    """Starts the servers, or finds them running. Returns the variables the tests read."""
    chosen, why = source(variables.asked())
    say(f"test servers: {chosen} ({why})")
    return _start_containers(layout) if chosen == "containers" else _start_native(layout)


def _start_native(layout: Layout) -> dict[str, str]:
    packages.ensure()
    environment.ensure()
    home.settle(layout)
    home.check_usable(layout)
    with files.locked(layout.state):
        if supervisor.answers(layout):
            say("the test servers run already")
            return exports(layout, ports.recorded(layout))
        stack.clear(layout)
        layout.make()
        home.stamp(layout)
        chosen = ports.choose(layout, {"GATEWAY_PORT": "0"})
        stack.start_servers(layout, chosen, for_tests=True)
    return exports(layout, chosen)


def _start_containers(layout: Layout) -> dict[str, str]:
    environment.ensure()
    with files.locked(layout.state):
        done = _containers(layout, "start")
        if done.returncode:
            raise Cannot(f"the test containers did not start:\n{done.stderr[-3000:]}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _containers(layout: Layout, command: str) -> subprocess.CompletedProcess[str]:
    words = [str(environment.PYTHON), str(REPOSITORY / "tools" / "testservers"), command, layout.digest]
    variables_of = {**os.environ, **images(variables.asked())}
    return subprocess.run(words, env=variables_of, capture_output=True, text=True, check=False)


def end(layout: Layout) -> None:
    """Ends them, wherever they came from, and deletes what they wrote."""
    if environment.PYTHON.exists() and _docker("info"):
        _containers(layout, "stop")
    stack.wipe(layout)


@contextmanager
def running(layout: Layout | None = None) -> Iterator[dict[str, str]]:
    """Fresh servers for the block; whatever an earlier run has left is ended first, and everything deleted after."""
    layout = layout or default_layout()
    end(layout)
    try:
        yield start(layout)
    finally:
        end(layout)
