"""The shop's containers, through the docker client."""

import subprocess
import sys
from typing import Any

from harness import wait_until

from compose import engine, stack
from souk.checkout import REPOSITORY

UP_SECONDS = 90


class Containers:
    """What ops can do to them."""

    def all(self) -> list[dict[str, Any]]:
        return stack.shop_containers()

    def names(self) -> list[str]:
        """The names in compose.yaml of what is running, in a fixed order."""
        return sorted({engine.service_of(each) for each in self.all() if each["State"]["Running"]})

    def named(self, name: str) -> dict[str, Any]:
        return next(each for each in self.all() if engine.service_of(each) == name)

    def ask(self, identity: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run some bash in the container with that id, as its own user."""
        command = ["docker", "exec", identity, "bash", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def compose(self, *words: str) -> str:
        return engine.output(*words)

    def up(self) -> None:
        """What an operator would do: `docker compose up --wait`."""
        engine.output("up", "--detach", "--wait", "--wait-timeout", "180")
        self.await_well()

    def await_well(self, seconds: float = UP_SECONDS) -> None:
        wait_until(
            lambda: not stack.unwell(self.all()), seconds=seconds, what="everything is healthy"
        )

    def audit(self) -> None:
        """Run the audit and fail with what it printed."""
        command = [
            sys.executable,
            str(REPOSITORY / "deploy" / "souk"),
            "audit",
            "--",
            "--settle",
            "120",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
