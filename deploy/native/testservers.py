"""PostgreSQL, RabbitMQ and Redis for tests: private, forgetful, and ended even when the run before them was killed.

TEST_SERVERS says where from: `containers` (testcontainers, with the images of compose.yaml), `native` (this machine's programs), or
`auto`: containers when a Docker engine answers and has the images or can fetch them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from native import containers, environment, files, packages, ports, stack, supervisor, variables
from native.errors import Cannot
from native.layout import Layout, scratch
from native.progress import say

CHOICES = ("auto", "containers", "native")


def default_layout() -> Layout:
    return scratch("test")


def source(environment: Mapping[str, str]) -> tuple[str, str]:
    """("containers" or "native", the line that says so and why).

    Raises:
        Cannot: TEST_SERVERS asks for what cannot be had, or for what there is not.
    """
    asked = environment.get("TEST_SERVERS") or "auto"
    if asked not in CHOICES:
        raise Cannot(f"TEST_SERVERS is {asked!r}: use {', '.join(CHOICES)}")
    if asked == "native":
        return "native", "native (TEST_SERVERS=native)"
    wanted = containers.images(environment)
    lacking = containers.lacking(wanted)
    if lacking and asked == "containers":
        raise Cannot(
            f"TEST_SERVERS=containers, but {lacking}. Start an engine, name images that it has or can fetch in "
            f"{', '.join(wanted)} (`make airgap-images` does both on Debian), or use TEST_SERVERS=native"
        )
    if lacking:
        return "native", f"native (TEST_SERVERS=auto, {lacking})"
    return "containers", f"containers {', '.join(wanted.values())} (TEST_SERVERS={asked})"


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
    asked = variables.asked()
    chosen, line = source(asked)
    say(f"test servers: {line}")
    if chosen == "native":
        return _start_native(layout)
    packages.ensure(packages.PYTHON_ONLY)
    environment.ensure()
    with files.locked(layout.state):
        return containers.start(layout, containers.images(asked))


def _start_native(layout: Layout) -> dict[str, str]:
    packages.ensure()
    environment.ensure()
    with files.locked(layout.state):
        if supervisor.answers(layout):
            say("the test servers run already")
            return exports(layout, ports.recorded(layout))
        stack.clear(layout)
        layout.make()
        chosen = ports.choose(layout, {"GATEWAY_PORT": "0"})
        stack.start_servers(layout, chosen, for_tests=True)
    return exports(layout, chosen)


def end(layout: Layout) -> None:
    """Ends them, wherever they came from, and deletes what they wrote."""
    containers.remove(layout)
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
