"""The micro-cache: what anybody may read of the catalogue, asked for once a second."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.client import Response, assert_problem
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import PROBLEM, Answer

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
LIST, CATEGORIES = "/api/products/", "/api/categories/"
PRODUCT = "/api/products/0190a5b4-0000-7000-8000-00000000000a/"
PUBLIC = {"Content-Type": "application/json", "Cache-Control": "public, max-age=0"}
KEPT = [
    *(LIST, f"{LIST}popular/", f"{LIST}facets/", CATEGORIES, "/api/attributes/"),
    *(PRODUCT, f"{PRODUCT}reviews/", f"{PRODUCT}related/"),
]
BUYERS = 500


def page(body: str = "old") -> Answer:
    tag = {"ETag": f'"{body[:3]}"'}
    return Answer(body=json.dumps(body).encode(), headers=PUBLIC | tag)


@pytest.fixture
def gateway(own_gateway: StartGateway, own_services: Services) -> Gateway:
    for path in KEPT:
        own_services.products.answers[path] = page()
    return own_gateway(CATALOGUE_CACHE="on", LIMIT_CONNECTIONS="1000")


@pytest.fixture
def services(own_services: Services) -> Iterator[Services]:
    yield own_services
    own_services.products.may_answer.set()


def asked(services: Services, path: str = LIST) -> int:
    return len(services.products.requests_for(path))


def await_clock(seconds: float) -> None:
    wait_until(lambda: time.time() >= seconds, "the time")


def begin_second() -> int:
    """Wait for the next second to begin, and return it."""
    second = int(time.time()) + 1
    await_clock(second)
    return second


@pytest.mark.parametrize("path", KEPT)
def test_page_asked_for_often_is_asked_of_its_service_once(
    gateway: Gateway, services: Services, path: str
) -> None:
    first = begin_second()

    answers = [gateway.get(path) for _ in range(30)]

    assert {(each.status, each.json) for each in answers} == {(200, "old")}
    assert asked(services, path) <= 1 + int(time.time()) - first


def clients_at_once(gateway: Gateway, stack: ExitStack, count: int) -> list[socket.socket]:
    """So many clients who have all asked for the list."""
    clients = [
        stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=20))
        for _ in range(count)
    ]
    for client in clients:
        client.sendall(f"GET {LIST} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return clients


def status_of(client: socket.socket) -> bytes:
    return client.recv(100).split(b" ")[1]


def waiting_inside(gateway: Gateway) -> int:
    name = f"{gateway.directory}/verifier.sock"
    return sum(name in line for line in Path("/proc/net/unix").read_text().splitlines()) - 1


@pytest.mark.parametrize("was_read_before", [True, False])
def test_burst_on_an_old_page_is_one_question(
    gateway: Gateway, services: Services, was_read_before: bool
) -> None:
    if was_read_before:
        gateway.get(LIST)
        await_clock(begin_second() + 2)
    services.products.seen.clear()
    services.products.may_answer.clear()
    first = begin_second()

    with ExitStack() as stack:
        clients = clients_at_once(gateway, stack, BUYERS)
        wait_until(lambda: waiting_inside(gateway) >= BUYERS, "all to wait", 20)
        last = int(time.time())
        services.products.may_answer.set()

        assert {status_of(client) for client in clients} == {b"200"}
    assert 1 <= asked(services) <= 1 + last - first


def test_nobody_waits_while_a_page_that_was_just_read_is_asked_for_again(
    gateway: Gateway, services: Services
) -> None:
    begin_second()
    gateway.get(LIST)
    services.products.answers[LIST] = page("new")
    services.products.may_answer.clear()
    begin_second()

    with ThreadPoolExecutor(1) as pool:
        refresh = pool.submit(gateway.get, LIST)
        wait_until(lambda: asked(services) == 2, "the question")
        meanwhile = [gateway.get(LIST).json for _ in range(5)]
        services.products.may_answer.set()

        assert (meanwhile, refresh.result().json, asked(services)) == (["old"] * 5, "new", 2)


def test_change_is_seen_by_everybody_two_seconds_later_even_if_the_service_is_slow(
    gateway: Gateway, services: Services
) -> None:
    gateway.get(LIST)
    services.products.answers[LIST] = page("new")
    changed_at = time.time()
    await_clock(changed_at + 2)

    answers = [gateway.get(LIST).json for _ in range(20)]

    assert set(answers) == {"new"}


def test_page_that_nobody_read_for_long_is_asked_for_anew(
    gateway: Gateway, services: Services
) -> None:
    gateway.get(LIST)
    services.products.answers[LIST] = page("new")
    await_clock(int(time.time()) + 3)

    assert gateway.get(LIST).json == "new"


def test_every_answer_carries_the_id_of_its_own_request(gateway: Gateway) -> None:
    answers = [gateway.request("GET", LIST, {"X-Request-ID": f"mine-{n}"}) for n in range(5)]

    assert [each.headers.get_all("X-Request-ID") for each in answers] == [
        [f"mine-{n}"] for n in range(5)
    ]
    assert {each.headers["Cache-Control"] for each in answers} == {
        "public, max-age=0, must-revalidate"
    }
    assert not [name for name in answers[-1].headers if name.startswith("X-Accel")]


def test_client_that_has_the_page_gets_304_from_the_gateway(
    gateway: Gateway, services: Services
) -> None:
    tag = gateway.get(LIST).headers["ETag"]

    again = [gateway.request("GET", LIST, {"If-None-Match": sent}) for sent in (tag, f"W/{tag}")]
    other = gateway.request("GET", LIST, {"If-None-Match": '"x"'})

    assert [(each.status, each.body, each.headers["ETag"]) for each in again] == [
        (304, b"", tag)
    ] * 2
    assert (other.status, other.json) == (200, "old")
    assert {seen.header("If-None-Match") for seen in services.products.seen} == {None}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"If-None-Match": "no tag"}, {"If-None-Match": '"'}, {"If-None-Match": ""},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}, {"If-Match": '"other"'},
        {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Range": "bytes=0-1"},
        {"Cache-Control": "no-cache"}, {"Pragma": "no-cache"}, {"X-Shared-Read": "/api/orders/"},
        {"X-Forwarded-Host": "evil.example"}, {"X-Original-URL": "/admin/"},
        {"Accept-Encoding": "br"}, {"Accept-Language": "ar"}, {"User-Agent": "other"},
        {"Host": "localhost:1"}, {"Prefer": "wait=5"}, {"Origin": "https://evil.example"},
    ],
    ids=str,
)  # fmt: skip
def test_header_changes_neither_the_answer_nor_what_others_get(
    gateway: Gateway, services: Services, nonsense: dict[str, str]
) -> None:
    first = begin_second()
    odd = gateway.request("GET", LIST, nonsense)
    plain = gateway.get(LIST)

    assert (odd.status, odd.json) == (plain.status, plain.json) == (200, "old")
    passes_by = "If-Match" in nonsense or "If-Unmodified-Since" in nonsense
    assert asked(services) <= 1 + passes_by + int(time.time()) - first
    told = {value for seen in services.products.seen for _, value in seen.headers}
    assert passes_by or not told & set(nonsense.values())


@pytest.mark.parametrize(
    ("spellings", "asked_for"),
    [
        (["min_price=1&category=a", "category=a&min_price=1"], "category=a&min_price=1"),
        (["search=caf%C3%A9%20x", "search=caf%c3%a9+x"], "search=caf%C3%A9%20x"),
        (["search=a%2Db~", "search=a-b%7E", "search=%61-b~"], "search=a-b~"),
        (["search=a:/b", "search=a%3A%2fb"], "search=a%3A%2Fb"),
        (["search=1%2B1"], "search=1%2B1"),
        (["search=a%26b=c", "search=a%26b%3Dc"], "search=a%26b%3Dc"),
        (["search="], "search="),
        (["search=%00"], "search=%00"),
        (["search=%25"], "search=%25"),
    ],
)
def test_query_in_another_spelling_is_the_same_question(
    gateway: Gateway, services: Services, spellings: list[str], asked_for: str
) -> None:
    first = begin_second()

    for spelling in spellings * 2:
        assert gateway.get(f"{LIST}?{spelling}").status == 200

    assert {seen.path for seen in services.products.seen} == {f"{LIST}?{asked_for}"}
    assert asked(services) <= 1 + int(time.time()) - first


@pytest.mark.parametrize(
    "doubtful",
    ["a=1&a=2", "a", "a=1&", "&a=1", "%61=1", "A=1", "a=%", "a=%zz", "a[]=1", "=1",
     "&".join(f"{chr(97 + n)}=1" for n in range(17))],
)  # fmt: skip
def test_doubtful_query_reaches_the_service_as_it_was_sent(
    gateway: Gateway, services: Services, doubtful: str
) -> None:
    for _ in range(2):
        gateway.get(f"{LIST}?{doubtful}")

    assert [seen.path for seen in services.products.seen] == [f"{LIST}?{doubtful}"] * 2


@pytest.mark.parametrize("length", [1500, 2100, 4050, 7900])
def test_query_reaches_the_service_however_long_it_is_spelt_out(
    gateway: Gateway, services: Services, length: int
) -> None:
    answered = gateway.get(f"{LIST}?search={'a,' * (length // 2)}")

    assert answered.status == 200
    assert services.products.seen[-1].path.startswith(f"{LIST}?search=a")


def test_id_in_capitals_is_the_same_product(gateway: Gateway, services: Services) -> None:
    gateway.get(PRODUCT)
    gateway.get(PRODUCT.replace("a/", "A/"))

    assert {seen.path for seen in services.products.seen} == {PRODUCT}


def test_head_is_answered_from_the_page(gateway: Gateway, services: Services) -> None:
    first = begin_second()
    told, read = gateway.request("HEAD", LIST), gateway.get(LIST)

    assert (told.status, told.body, told.headers["ETag"]) == (200, b"", read.headers["ETag"])
    assert asked(services) <= 1 + int(time.time()) - first


@pytest.mark.parametrize("by", ["token", "cookie", "html", "no json", "body"])
def test_request_that_is_not_plain_goes_to_the_service(
    gateway: Gateway, services: Services, signer: Signer, by: str
) -> None:
    headers = {
        "token": {"Authorization": f"Bearer {signer.token()}"},
        "cookie": {"Cookie": "session=1"},
        "html": {"Accept": "text/html"},
        "no json": {"Accept": "application/json;q=0, text/html"},
        "body": {"Content-Type": "application/json"},
    }[by]
    gateway.get(LIST)
    services.products.answers[LIST] = page("mine")

    own = gateway.request("GET", LIST, headers, b"{}" if by == "body" else None)

    assert own.json == "mine"
    assert services.products.seen[-1].header("Authorization") == headers.get("Authorization")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Answer(200, b"1", PUBLIC), True),
        (Answer(200, b"1", {"Content-Type": "application/json"}), False),
        (Answer(200, b"1", PUBLIC | {"Cache-Control": "private, max-age=0"}), False),
        (Answer(200, b"1", PUBLIC | {"Cache-Control": "max-age=60"}), False),
        (Answer(200, b"1", PUBLIC | {"Set-Cookie": "a=b"}), False),
        (Answer(200, b"1", PUBLIC | {"Vary": "Cookie, User-Agent, *"}), True),
        (Answer(200, b"1", PUBLIC | {"X-Accel-Expires": "3600"}), True),
        (Answer(404, b"1", PROBLEM | {"Cache-Control": "public"}), False),
        (Answer(400, b"1", PROBLEM | {"Cache-Control": "public"}), False),
        (Answer(500, b"1", PROBLEM | {"Cache-Control": "public"}), False),
    ],
)
def test_only_what_the_service_calls_public_is_kept(
    gateway: Gateway, services: Services, answer: Answer, kept: bool
) -> None:
    services.products.answers[LIST] = answer
    begin_second()

    answers = [gateway.get(LIST) for _ in range(3)]

    assert {(each.status, each.body) for each in answers} == {(answer.status, b"1")}
    assert (asked(services) < 3) is kept


def test_page_is_packed_for_each_client_by_itself(gateway: Gateway, services: Services) -> None:
    services.products.answers[LIST] = page("x" * 4000)
    ways: list[Response] = [
        gateway.request("GET", LIST, {"Accept-Encoding": way})
        for way in ("gzip", "identity", "gzip")
    ]

    assert [each.headers["Content-Encoding"] for each in ways] == ["gzip", None, "gzip"]
    assert gzip.decompress(ways[2].body) == ways[1].body
    assert {seen.header("Accept-Encoding") for seen in services.products.seen} == {None}


def test_kept_page_counts_against_the_rate(
    own_gateway: StartGateway, own_services: Services
) -> None:
    own_services.products.answers[LIST] = page()
    gateway = own_gateway(CATALOGUE_CACHE="on", LIMIT_API_RATE="1r/m", LIMIT_API_BURST="1")

    answers = [gateway.get(LIST) for _ in range(3)]

    assert [each.status for each in answers] == [200, 200, 429]
    assert_problem(answers[2], 429)


def test_readers_wait_for_a_service_that_restarts(gateway: Gateway, services: Services) -> None:
    services.products.stop()
    with ThreadPoolExecutor(20) as pool:
        reads = [pool.submit(gateway.get, LIST) for _ in range(20)]
        wait_until(lambda: gateway.errors().count("connect() failed") >= 2, "tries")
        services.products.start()

        answers = [each.result() for each in reads]

    assert {(each.status, each.json) for each in answers} == {(200, "old")}


def test_service_that_stays_away_is_the_gateways_problem(
    own_gateway: StartGateway, own_services: Services
) -> None:
    own_services.products.stop()
    gateway = own_gateway(CATALOGUE_CACHE="on", HOLD_SECONDS="1")

    assert_problem(gateway.get(LIST), 503, "service_unavailable")


def test_damaged_pages_are_asked_for_again(gateway: Gateway, services: Services) -> None:
    gateway.get(LIST)
    gateway.stop_nginx()
    for name in ("catalogue", "questions"):
        for file in (gateway.directory / name).iterdir():
            file.write_bytes(b"rubbish" * 100)
    gateway.start()

    assert [gateway.get(LIST).json for _ in range(3)] == ["old"] * 3


def test_pages_of_many_questions_take_bounded_room(gateway: Gateway) -> None:
    pages = [f"{LIST}?min_price={number}" for number in range(2500)]
    with ThreadPoolExecutor(8) as pool:
        assert {each.status for each in pool.map(gateway.get, pages)} == {200}

    kept = [len(list((gateway.directory / name).iterdir())) for name in ("catalogue", "questions")]
    assert 100 < max(kept) < 1500
    assert "[alert]" not in gateway.errors()
