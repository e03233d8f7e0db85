"""Closed-loop load from wrk, a process of its own that costs little: what it reports, parsed."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONNECTIONS = 16
#: One request after the other from a list that repeats; each is prepared once, before the load
#: starts.
SCRIPT = """
local requests, at = {}, 0
function init(args)
    for _, one in ipairs(ALL) do
        requests[#requests + 1] = wrk.format(one.method, one.path, one.headers, one.body)
    end
end
function request()
    at = at % #requests + 1
    return requests[at]
end
"""
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class WrkMissing(RuntimeError):
    """There is no load generator."""


@dataclass(frozen=True)
class Call:
    """One request that the load repeats."""

    method: str
    path: str
    token: str = ""
    body: object = None


@dataclass(frozen=True)
class Load:
    """What one run came to; `failed` are answers that were no 2xx or 3xx, and connections that
    broke.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int

    @property
    def good_per_second(self) -> float:
        return self.per_second * (1 - self.failed / max(self.requests, 1))


def run(
    base_url: str, calls: Sequence[Call], *, seconds: int, connections: int = CONNECTIONS
) -> Load:
    """Send the calls in turn over `connections` connections for `seconds`."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            "ALL = {\n" + ",\n".join(_lua(_request(call)) for call in calls) + "\n}\n" + SCRIPT
        )
        script.flush()
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "--latency",
            "-s",
            script.name,
        ]
        try:
            done = subprocess.run([*command, base_url], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise WrkMissing("wrk is not installed: apt-get install wrk") from error
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read wrk's report."""
    total = int(_found(r"(\d+) requests in", output))
    refused = int(_found(r"Non-2xx or 3xx responses: (\d+)", output, "0"))
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    return Load(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=_milliseconds(_found(r"50%\s+([\d.]+\w+)", output)),
        p99_ms=_milliseconds(_found(r"99%\s+([\d.]+\w+)", output)),
        requests=total,
        failed=refused + (sum(map(int, broken.groups())) if broken else 0),
    )


def _request(call: Call) -> Mapping[str, object]:
    headers = {"Authorization": f"Bearer {call.token}"} if call.token else {}
    if call.body is None:
        return {"method": call.method, "path": call.path, "headers": headers}
    headers["Content-Type"] = "application/json"
    return {
        "method": call.method,
        "path": call.path,
        "headers": headers,
        "body": json.dumps(call.body),
    }


def _lua(value: object) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"[{_lua(name)}] = {_lua(each)}" for name, each in value.items()) + "}"
        )
    return json.dumps(str(value))


def _found(pattern: str, text: str, default: str | None = None) -> str:
    match = re.search(pattern, text)
    if match is None and default is None:
        raise ValueError(f"wrk said: {text}")
    return match.group(1) if match else str(default)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]
