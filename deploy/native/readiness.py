"""Whether each service is ready, and if not, why; as the services themselves say it."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from native.layout import SERVICES
from native.ports import Ports
from native.variables import base_url

#: What a start brings about. Other findings are of work that waits, often for a person: no start has to wait for that.
OF_A_START = frozenset({"database", "migrations", "broker", "processes"})


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


def findings(ports: Ports, seconds: float = 5) -> dict[str, Finding]:
    """What each service and the gateway say."""
    found = {name: _ask(f"{base_url(ports[name])}/readyz", name, seconds) for name in SERVICES}
    return {**found, "gateway": _ask(f"{base_url(ports['gateway'])}/healthz", "localhost", seconds)}


def not_ready(ports: Ports) -> dict[str, str]:
    """Why each service that is not up is not."""
    return {name: found.not_ready for name, found in findings(ports).items() if found.not_ready}


def _ask(url: str, host: str, seconds: float) -> Finding:
    request = urllib.request.Request(url, headers={"Host": host, "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # nosec B310: our own http address
            # A service that can still answer requests, but has lost something behind it, says so with 200.
            return finding(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as answer:
        found = finding(answer.read().decode(errors="replace"))
        return Finding(found.not_ready or f"answers {answer.code}", found.attention, serves=False)
    except urllib.error.URLError as error:
        return Finding(f"does not answer: {error.reason}", serves=False)
    except (OSError, http.client.HTTPException) as error:
        return Finding(f"does not answer: {error}", serves=False)


def finding(body: str) -> Finding:
    """Read a /readyz answer: {"checks": {"database": "ok", "broker": "away, …"}}."""
    try:
        checks: dict[str, str] = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return Finding()
    wrong = {name: said for name, said in checks.items() if said != "ok"}
    return Finding(
        "; ".join(f"{name}: {said}" for name, said in wrong.items() if name in OF_A_START),
        "; ".join(f"{name}: {said}" for name, said in wrong.items() if name not in OF_A_START),
    )
