"""The limits of log-in as production has them (gateway/defaults.env), on the real nginx."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.client import assert_problem
from harness.nginx import Gateway, Services, wait_until

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
LOG_IN = "/api/auth/token/"
DEFAULTS = dict(
    line.split("=", 1)
    for line in (Path(__file__).parents[1] / "defaults.env").read_text().splitlines()
    if line.startswith("LIMIT_")
)
RATE = int(DEFAULTS["LIMIT_AUTH_RATE"].removesuffix("r/s"))
BURST = int(DEFAULTS["LIMIT_AUTH_BURST"])
SECOND_FACTOR = "/api/auth/second-factor/"
PATIENCE_SECONDS = 60


@pytest.fixture
def in_production(own_gateway: StartGateway) -> Gateway:
    return own_gateway(**DEFAULTS)


@pytest.mark.parametrize(("people", "steps"), [(100, [LOG_IN]), (60, [LOG_IN, SECOND_FACTOR])])
def test_office_behind_one_address_logs_in_within_a_minute(
    in_production: Gateway, own_services: Services, signer: Signer, people: int, steps: list[str]
) -> None:
    """All at the same moment, and each again after a 429, as its Retry-After says."""
    waiting = [path for _ in range(people) for path in steps]

    def everybody_is_in() -> bool:
        for path in waiting[:5]:
            if in_production.request("POST", path, {}, b"{}").status == 200:
                waiting.remove(path)
        return not waiting

    wait_until(everybody_is_in, "the office to log in", PATIENCE_SECONDS)

    for path in steps:
        assert len(own_services.users.requests_for(path)) == people
    # They then work, each with a session of their own.
    tokens = [signer.token() for _ in range(people)]
    assert {in_production.get("/api/orders/", token).status for token in tokens} == {200}


def test_flood_of_log_ins_from_one_address_is_stopped(
    in_production: Gateway, own_services: Services
) -> None:
    began = time.monotonic()
    answers = [in_production.request("POST", LOG_IN, {}, b"{}") for _ in range(300)]
    most = 1 + BURST + RATE * (time.monotonic() - began) + 1

    passed = [answer for answer in answers if answer.status == 200]
    stopped = [answer for answer in answers if answer.status == 429]
    assert len(passed) + len(stopped) == 300
    assert BURST < len(passed) <= most
    assert_problem(stopped[0], 429, "too_many_requests")
    assert int(stopped[0].headers["Retry-After"]) > 0
    assert len(own_services.users.requests_for(LOG_IN)) == len(passed)
    assert in_production.get("/api/products/").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/refresh/"),
        ("POST", "/api/auth/revoke/"),
        ("POST", "/api/users/"),
        ("POST", "/api/users/registration/"),
        ("POST", "/api/users/me/password/"),
    ],
)
def test_limit_of_log_in_counts_whatever_hashes_or_spends(
    in_production: Gateway, signer: Signer, method: str, path: str
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}"}
    began = time.monotonic()

    statuses = [in_production.request(method, path, headers, b"{}").status for _ in range(150)]

    most = 1 + BURST + RATE * (time.monotonic() - began) + 1
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= most
