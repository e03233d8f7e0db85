"""Which test servers to take, how to start them (or find them running), and how to end them.

TEST_SERVERS says where from: `containers` (testcontainers, with the images of compose.yaml),
`native` (this machine's programs), or `auto`: containers when a Docker engine answers and has the
images or can fetch them.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from native import home, ports, stack, supervisor, variables
from native.layout import Layout, scratch
from native.runtime import NativeRuntime
from souk import dotenv, files
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step

IMAGES = ("POSTGRES_IMAGE", "RABBITMQ_IMAGE", "REDIS_IMAGE")
PULL_SECONDS = 180


def default_layout() -> Layout:
    """Return the folder of this checkout's test servers: the same each time."""
    return scratch("test")


def images(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the images that compose.yaml would take, by variable."""
    text = (REPOSITORY / "compose.yaml").read_text()
    defaults = {name: re.findall(rf"\$\{{{name}:-([^}}]+)\}}", text)[0] for name in IMAGES}
    return {name: environment.get(name) or default for name, default in defaults.items()}


def source(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return ("containers" or "native", why).

    Raises:
        CommandError: TEST_SERVERS asks for what cannot be had, or for what there is not.
    """
    asked = environment.get("TEST_SERVERS") or "auto"
    if asked not in ("auto", "containers", "native"):
        raise CommandError(f"TEST_SERVERS is {asked!r}: use auto, containers or native")
    if asked == "native":
        return "native", "TEST_SERVERS=native"
    wanted = images(environment)
    if lacking := _why_no_containers(wanted):
        if asked == "containers":
            advice = "`make airgap-images` helps on Debian"
            raise CommandError(f"TEST_SERVERS=containers, but {lacking}; {advice}")
        return "native", f"TEST_SERVERS=auto, {lacking}"
    return "containers", f"TEST_SERVERS={asked}: {', '.join(wanted.values())}"


def _why_no_containers(wanted: Mapping[str, str]) -> str:
    if not _docker("info"):
        return "no Docker engine answers"
    missing = [image for image in wanted.values() if not _docker("image", "inspect", image)]
    away = [image for image in missing if not _docker("pull", "--quiet", image)]
    return f"there is no image {', '.join(away)}, and no registry that gives it" if away else ""


def _docker(*words: str) -> bool:
    command = ["docker", *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PULL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def start(layout: Layout) -> dict[str, str]:
    """Start the servers, or find them running. Returns the variables that tests read."""
    chosen, why = source(dotenv.effective())
    log_step(f"test servers: {chosen} ({why})")
    if chosen == "native":
        return _start_native(layout)
    # Only here: the library is slow to import, and wants its settings beforehand.
    from testservers import containers

    with files.locked(layout.state):
        try:
            return containers.start(layout.digest, images(dotenv.effective()))
        except BaseException as reason:
            containers.stop(layout.digest)
            if isinstance(reason, TimeoutError):
                raise CommandError(f"the test containers did not start: {reason}") from reason
            raise


def _start_native(layout: Layout) -> dict[str, str]:
    home.settle(layout)
    home.check_usable(layout)
    with files.locked(layout.state):
        if supervisor.answers(layout):
            log_step("the test servers run already")
            chosen = ports.recorded(layout)
        else:
            chosen = stack.start_servers(layout, {"GATEWAY_PORT": "0"}, for_tests=True)
    ops = variables.operations(layout, chosen)
    return {
        "TEST_DATABASE_URL": ops["OPS_DATABASE_URL_USERS"].removesuffix("users") + "postgres",
        "TEST_BROKER_URL": ops["OPS_BROKER_URL"].removesuffix("souk") + "%2F",
        "TEST_BROKER_ADMIN_URL": ops["OPS_BROKER_API_URL"],
        "TEST_REDIS_URL": variables.service(layout, chosen, "users", {})["REDIS_URL"],
    }


def end(layout: Layout) -> None:
    """End them, wherever they came from, and delete what they wrote."""
    if _docker("info"):
        from testservers import containers

        containers.stop(layout.digest)
    NativeRuntime(layout).reset()


@contextmanager
def running(layout: Layout | None = None) -> Iterator[dict[str, str]]:
    """Have fresh servers for the block, whatever an earlier run has left; yields the variables."""
    layout = layout or default_layout()
    end(layout)
    try:
        yield start(layout)
    finally:
        end(layout)
