"""Whether each service is ready, and if not, why; as the services themselves say it."""

import http.client
import json
import urllib.error
import urllib.request

from native.layout import SERVICES
from native.ports import Ports
from native.variables import base_url


def reasons(ports: Ports, seconds: float = 5) -> dict[str, str]:
    """For each service and the gateway: why it is not ready; empty when it is."""
    found = {name: _reason(f"{base_url(ports[name])}/readyz", name, seconds) for name in SERVICES}
    return {**found, "gateway": _reason(f"{base_url(ports['gateway'])}/healthz", "localhost", seconds)}


def _reason(url: str, host: str, seconds: float) -> str:
    request = urllib.request.Request(url, headers={"Host": host, "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # nosec B310: our own http address
            # A service that can still answer requests, but has lost something behind it, says so with 200.
            return _failing(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as answer:
        return _failing(answer.read().decode(errors="replace")) or f"answers {answer.code}"
    except urllib.error.URLError as error:
        return f"does not answer: {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"


def _failing(body: str) -> str:
    """The checks of a /readyz answer that are not well: {"checks": {"database": "ok", "broker": "away, …"}}."""
    try:
        checks: dict[str, str] = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return ""
    return "; ".join(f"{name}: {finding}" for name, finding in checks.items() if finding != "ok")
