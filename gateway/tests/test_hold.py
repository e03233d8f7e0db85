"""A service that restarts: requests wait for it, and none has its effect twice."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.client import Response, assert_problem
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import PROBLEM, Answer

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
ORDERS, PRODUCTS = "/api/orders/", "/api/products/"
PRODUCT = "/api/products/0190a5b4-0000-7000-8000-000000000001/"
ANY = [
    ("GET", f"{PRODUCTS}?search=caf%C3%A9%20x", b""),
    ("HEAD", PRODUCTS, b""),
    ("POST", PRODUCTS, b'{"name": "rug"}'),
    ("POST", f"{PRODUCTS}?large=1", b"x" * (128 << 10)),
    ("PATCH", PRODUCT, b'{"price": 1}'),
    ("DELETE", PRODUCT, b""),
]


@pytest.fixture
def credentials(signer: Signer) -> dict[str, str]:
    return {"Authorization": f"Bearer {signer.token()}"}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(len(ANY)) as threads:
        yield threads


def await_tries(gateway: Gateway, count: int) -> None:
    wait_until(lambda: gateway.errors().count("connect() failed") >= count, f"{count} tries")


def test_requests_wait_for_a_service_that_restarts(
    own_gateway: StartGateway,
    own_services: Services,
    pool: ThreadPoolExecutor,
    credentials: dict[str, str],
) -> None:
    gateway = own_gateway()
    own_services.products.stop()

    asked = [
        pool.submit(gateway.request, method, path, credentials, body) for method, path, body in ANY
    ]
    await_tries(gateway, len(ANY) + 3)
    own_services.products.start()

    answers = [each.result() for each in asked]
    assert {answer.status for answer in answers} == {200}
    assert sorted(
        (seen.method, seen.path, seen.body) for seen in own_services.products.seen
    ) == sorted(ANY)
    line = gateway.logged(answers[0])
    wait_until(
        lambda: (
            len([each for each in gateway.log_lines() if each["path"] != "/healthz"]) == len(ANY)
        ),
        "a log line for each",
    )
    assert (line["held"], line["upstream_status"]) == ("1", "502 : 200")


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("GET", ORDERS, None), ("DELETE", PRODUCT, None), ("POST", ORDERS, "k-1"),
    ("POST", f"{PRODUCT}purchase/", "k-1")],
)  # fmt: skip
def test_broken_off_request_is_repeated_where_twice_is_like_once(
    own_gateway: StartGateway, own_services: Services, credentials: dict[str, str], method: str,
    path: str, key: str | None
) -> None:  # fmt: skip
    gateway = own_gateway()
    for service in own_services.all()[1:]:
        service.to_break = 1
    headers = credentials | ({"Idempotency-Key": key} if key else {})

    answered = gateway.request(method, path, headers, b"{}")

    assert answered.status == 200
    seen = [each for service in own_services.all() for each in service.requests_for(path)]
    assert [(each.method, each.body, each.header("Idempotency-Key")) for each in seen] == [
        (method, b"{}", key)
    ] * 2


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("POST", ORDERS, None),
        ("PATCH", PRODUCT, None),
        ("PATCH", PRODUCT, "k-1"),
        # Nobody remembers these keys.
        ("POST", PRODUCTS, "k-1"),
        ("POST", "/api/auth/refresh/", "k-1"),
    ],
)
def test_broken_off_request_that_may_have_had_its_effect_is_not_repeated(
    own_gateway: StartGateway, own_services: Services, credentials: dict[str, str], method: str,
    path: str, key: str | None
) -> None:  # fmt: skip
    gateway = own_gateway()
    assert (
        gateway.get(ORDERS, credentials["Authorization"].split()[1]).status == 200
    )  # has the key set now
    for service in own_services.all():
        service.to_break = 1
        service.seen.clear()
    headers = credentials | ({"Idempotency-Key": key} if key else {})

    refused = gateway.request(method, path, headers, b"{}")

    assert_problem(refused, 502, "service_unavailable")
    assert own_services.seen() == 1
    assert gateway.logged(refused)["held"] == ""


def test_request_that_breaks_every_connection_is_sent_three_times(
    own_gateway: StartGateway, own_services: Services
) -> None:
    own_services.products.to_break = 100

    refused = own_gateway(HOLD_SECONDS="2").get(PRODUCTS)

    assert_problem(refused, 502, "service_unavailable")
    assert len(own_services.products.seen) == 3


def test_service_that_stays_away_is_503_in_the_end(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway(HOLD_SECONDS="1")
    own_services.products.stop()

    refused = gateway.get(PRODUCTS)

    assert_problem(refused, 503, "service_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["WWW-Authenticate"] is None
    line = gateway.logged(refused)
    assert (line["status"], line["held"]) == ("503", "1")
    assert 0.4 < float(line["seconds"]) < 5
    assert set(line["upstream_status"].split(" : ")) == {"502"}


def test_address_that_says_nothing_is_504_in_the_end(
    own_gateway: StartGateway, credentials: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(
            address, timeout=1
        ):  # nobody accepts it, and there is no room for more
            gateway = own_gateway(HOLD_SECONDS="2", ORDERS_UPSTREAM=f"127.0.0.1:{address[1]}")

            refused = gateway.request("POST", ORDERS, credentials, b"{}")

    assert_problem(refused, 504, "service_timeout")
    line = gateway.logged(refused)
    assert (line["upstream_status"], line["held"]) == ("504", "1")


class Impatient(Gateway):
    """Waits a second for an answer, not fifteen."""

    def render(self) -> None:
        super().render()
        service = self.directory / "service.conf"
        service.write_text(service.read_text().replace("read_timeout 15s", "read_timeout 1s"))


def test_slow_answer_is_not_asked_for_twice(own_services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = Impatient(own_services, PRODUCTS_UPSTREAM=f"127.0.0.1:{silent.getsockname()[1]}")
        try:
            refused = gateway.get(PRODUCTS)

            assert_problem(refused, 504, "service_timeout")
            assert gateway.logged(refused)["held"] == ""
        finally:
            gateway.stop()


def test_what_a_service_answers_itself_is_not_held(
    own_gateway: StartGateway, own_services: Services
) -> None:
    for status in (502, 503, 504):
        own_services.products.answers[PRODUCTS] = Answer(status, b'{"code": "mine"}', PROBLEM)
        own_services.products.seen.clear()

        answered = own_gateway().get(PRODUCTS)

        assert (answered.status, answered.json) == (status, {"code": "mine"})
        assert len(own_services.products.seen) == 1


def test_refusals_do_not_wait(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    assert gateway.get(ORDERS, signer.token()).status == 200
    own_services.orders.stop()

    refused = [gateway.get(ORDERS, "a.b.c"), gateway.get(ORDERS), gateway.request("PUT", ORDERS)]

    assert [answer.status for answer in refused] == [401, 401, 405]
    assert {gateway.logged(answer)["held"] for answer in refused} == {""}


def test_held_request_counts_once_against_its_rate(
    own_gateway: StartGateway, own_services: Services, pool: ThreadPoolExecutor
) -> None:
    gateway = own_gateway(LIMIT_API_RATE="1r/m", LIMIT_API_BURST="1")
    own_services.products.stop()

    asked = pool.submit(gateway.get, PRODUCTS)
    await_tries(gateway, 3)
    own_services.products.start()

    assert asked.result().status == 200
    assert [gateway.get(PRODUCTS).status for _ in range(2)] == [200, 429]


def test_client_that_leaves_while_it_waits_leaves_nothing_behind(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway()
    own_services.products.stop()

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
        client.sendall(b"GET /api/products/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await_tries(gateway, 3)

    line = wait_until(
        lambda: [each for each in gateway.log_lines() if each["path"] == PRODUCTS],
        "the request to end",
    )[0]
    assert line["status"] == "499"
    assert own_services.products.seen == []
    assert {each.split("[")[1].split("]")[0] for each in gateway.errors().splitlines()} == {"error"}
    assert gateway.errors().count("connect() failed") == len(gateway.errors().splitlines())


def test_socket_is_not_held(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    own_services.live.stop()

    refused: Response = gateway.get("/ws/orders/", signer.token())

    assert_problem(refused, 502, "service_unavailable")
    assert gateway.logged(refused)["held"] == ""
