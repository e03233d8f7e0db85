"""PostgreSQL, RabbitMQ and Redis for tests: private, forgetful, and ended even when the run before them was killed."""

from collections.abc import Iterator
from contextlib import contextmanager

from native import environment, files, packages, ports, stack, supervisor, variables
from native.layout import Layout, scratch
from native.progress import say


def default_layout() -> Layout:
    return scratch("test")


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


@contextmanager
def running(layout: Layout | None = None) -> Iterator[dict[str, str]]:
    """Fresh servers for the block; whatever an earlier run has left is ended first, and everything deleted after."""
    layout = layout or default_layout()
    stack.wipe(layout)
    try:
        yield start(layout)
    finally:
        stack.wipe(layout)
