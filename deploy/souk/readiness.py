"""Whether a service is ready, and if not, why; as the service itself says it at /readyz."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

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


def ask(url: str, host: str, seconds: float = 5) -> Finding:
    """Ask a service for its readiness, under a name that it answers to."""
    request = urllib.request.Request(url, headers={"Host": host, "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # nosec B310: http, ours
            # A service that answers requests, but has lost what is behind it, says so with 200.
            return parse(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as answer:
        found = parse(answer.read().decode(errors="replace"), serves=False)
        reason = found.not_ready or f"answers {answer.code}"
        return Finding(reason, found.attention, serves=False)
    except (OSError, http.client.HTTPException) as error:
        return Finding(f"does not answer: {getattr(error, 'reason', error)}", serves=False)
