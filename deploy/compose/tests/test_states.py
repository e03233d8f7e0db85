"""What `make status` and `make up` make of a container's state; and who is asked for by RUNTIME."""

from typing import Any

import pytest

from compose import stack


def container(service: str, **state: Any) -> dict[str, Any]:
    known = {"Status": "running", "Running": True, "ExitCode": 0}
    return {
        "Config": {"Labels": {"com.docker.compose.service": service}},
        "State": {**known, **state},
    }


HEALTHY = {"Status": "healthy", "Log": []}
UNHEALTHY = {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "database: away\n"}]}
ENDED = {"Status": "exited", "Running": False}


@pytest.mark.parametrize(
    ("service", "state", "complaint"),
    [
        ("orders-web", {"Health": HEALTHY}, ""),
        ("orders-web", {"Health": UNHEALTHY}, "unhealthy: database: away"),
        ("orders-web", {"Health": {"Status": "starting"}}, "starting: not asked yet"),
        ("orders-web", {**ENDED, "ExitCode": 137}, "exited (137)"),
        ("orders-web", {**ENDED, "ExitCode": 0}, "exited (0)"),
        ("orders-web", {"Restarting": True, "ExitCode": 1}, "running (1)"),
        ("orders-migrate", {**ENDED, "ExitCode": 0}, ""),
        ("orders-migrate", {**ENDED, "ExitCode": 1}, "exited (1), should have ended well"),
        ("broker-setup", {}, "running (0), should have ended well"),
    ],
)
def test_complaint_says_what_is_wrong(service: str, state: dict[str, Any], complaint: str) -> None:
    assert stack.complaint(container(service, **state)) == complaint
