"""Whether a service is ready, and if not, why; as the service itself says it at /readyz."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ASK_SECONDS = 10
#: What a start brings about. Other checks wait for work or a person: no start waits for that.
CHECKS_OF_A_START = frozenset({"database", "migrations", "broker", "processes"})


@dataclass(frozen=True)
class Finding:
    """What a service says of itself: empty when it is well."""

    #: what a start is still to bring about
    not_ready: str = ""
    #: what wants attention and no start mends
    attention: str = ""
    #: whether it answers requests all the same
    serves: bool = True

    @property
    def is_well(self) -> bool:
        return not (self.not_ready or self.attention)

    def __str__(self) -> str:
        if self.is_well:
            return "ready"
        reasons = "; ".join(filter(None, (self.not_ready, self.attention)))
        return f"{'degraded' if self.serves else 'NOT READY'}: {reasons}"


SILENT = Finding("does not answer", serves=False)


def parse(body: str, *, serves: bool = True) -> Finding:
    """Read a /readyz answer: {"checks": {"database": "ok", "broker": "away, …"}}."""
    try:
        checks: dict[str, str] = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return Finding(serves=serves)
    wrong = {name: said for name, said in checks.items() if said != "ok"}
    return Finding(
        "; ".join(f"{name}: {said}" for name, said in wrong.items() if name in CHECKS_OF_A_START),
        "; ".join(
            f"{name}: {said}" for name, said in wrong.items() if name not in CHECKS_OF_A_START
        ),
        serves,
    )


def check(words: Sequence[str], variables: Mapping[str, str] | None = None) -> Finding:
    """Run deploy/image/health, here or in a container, which asks a service and prints its answer.

    Asked anew: an engine keeps what its last health check said, before whatever has happened.
    """
    command, environment = list(words), {**os.environ, **(variables or {})}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False, timeout=ASK_SECONDS
        )
    except subprocess.TimeoutExpired:
        return SILENT
    found = parse(done.stdout.decode(errors="replace"), serves=done.returncode == 0)
    return SILENT if done.returncode and found.is_well else found
