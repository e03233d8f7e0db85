"""Calls to a real server: what is repeated, what is an answer, and when the client gives up."""

import asyncio

import aiohttp
import pytest
from http_server import HALF_AN_ANSWER, NO_ANSWER, HttpServer, Reply, in_turn

from shopper.api import Answer, Api, Refused, ShopAway


def called(server, *calls, **options):
    """Make the calls one after the other; return the last answer and what the way was like."""

    async def run():
        async with Api(server.url, **options) as api:
            for call in calls or [("GET", "/api/products/")]:
                answer = await api.call(*call)
            return answer, api.tally

    with server.running():
        return asyncio.run(run())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_refusal_is_repeated_until_the_answer(status):
    server = HttpServer(in_turn(Reply(status), Reply(status), Reply(200, {"id": "7"})))

    answer, tally = called(server)

    assert (answer.status, answer.body) == (200, {"id": "7"})
    assert (tally.requests, tally.repeats, tally.reasons) == (3, 2, {str(status): 2})


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 409, 500])
def test_every_other_status_is_the_answer(status):
    server = HttpServer(
        in_turn(Reply(status, {"code": "so"}, {"Location": "/elsewhere"}), Reply(418))
    )

    answer, tally = called(server)

    assert (answer.status, answer.code, tally.repeats) == (status, "so", 0)
    assert answer.is_success == (status < 300)


@pytest.mark.parametrize("lost", [NO_ANSWER, HALF_AN_ANSWER], ids=["none", "half"])
def test_lost_answer_is_asked_for_again_with_the_same_request(lost):
    server = HttpServer(in_turn(lost, Reply(201, {"id": "7"})))

    answer, tally = called(server, ("POST", "/api/orders/"))

    assert (answer.status, tally.repeats) == (201, 1)
    assert [(each.method, each.path) for each in server.requests] == [("POST", "/api/orders/")] * 2


def test_server_that_is_away_is_told_with_the_last_reason():
    server = HttpServer(in_turn(Reply(503)))

    with pytest.raises(ShopAway, match=r"GET /api/products/: no answer for 0 s, last 503"):
        called(server, patience_seconds=0.02)


def test_address_without_a_server_is_a_shop_that_is_away():
    server = HttpServer(in_turn(Reply()))
    with server.running():
        pass

    async def run():
        async with Api(server.url, patience_seconds=0.02) as api:
            with pytest.raises(ShopAway, match="last ClientConnectorError"):
                await api.call("GET", "/")

    asyncio.run(run())


def test_pause_that_the_shop_asks_for_counts_against_the_patience():
    server = HttpServer(in_turn(Reply(429, headers={"Retry-After": "20"}), Reply()))

    with pytest.raises(ShopAway, match="last 429"):
        called(server, patience_seconds=5)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "value", ["soon", "-1", "", "0", "Wed, 21 Oct 2026 07:28:00 GMT", "\u00b2"]
)
def test_pause_that_is_no_number_of_seconds_is_ours(value):
    said = value.encode().decode("latin-1")  # http.server encodes headers so
    server = HttpServer(in_turn(Reply(429, headers={"Retry-After": said}), Reply(200)))

    assert called(server, patience_seconds=5)[1].reasons == {"429": 1}


def test_body_is_json_and_other_text_stays_text():
    server = HttpServer(in_turn(Reply(400, b"<h1>Bad \xff request</h1>")))

    async def run():
        async with Api(server.url + "/") as api:
            return await api.call("POST", "/api/users/", headers={"X-A": "b"}, body={"naïve": 1})

    with server.running():
        answer = asyncio.run(run())

    (request,) = server.requests
    assert (request.path, request.body) == ("/api/users/", {"naïve": 1})
    assert (request.headers["content-type"], request.headers["x-a"]) == ("application/json", "b")
    assert (answer.body, answer.code) == ("<h1>Bad \ufffd request</h1>", None)
    assert answer.detail == answer.body


def test_empty_body_is_none_and_has_no_content_type():
    server = HttpServer(in_turn(Reply(204, b"")))

    answer, _ = called(server)

    assert answer.body is None
    assert "content-type" not in server.requests[0].headers


def test_no_more_than_the_allowed_connections_are_opened():
    server = HttpServer(in_turn(Reply()))

    async def run():
        async with Api(server.url, parallel=2) as api:
            await asyncio.gather(*(api.call("GET", f"/{number}") for number in range(6)))

    with server.running():
        asyncio.run(run())

    assert (len(server.requests), server.connections) == (6, 2)


def test_single_request_is_never_repeated():
    server = HttpServer(in_turn(NO_ANSWER, Reply(503)))

    async def run():
        async with Api(server.url) as api:
            with pytest.raises(aiohttp.ClientError):
                await api.once("POST", "/", headers={})
            return await api.once("GET", server.url + "/whole", headers={})

    with server.running():
        assert asyncio.run(run()).status == 503
    assert [each.path for each in server.requests] == ["/", "/whole"]


def test_api_outside_of_its_context_is_a_mistake_not_a_wait():
    with pytest.raises(RuntimeError, match="context manager"):
        asyncio.run(Api("http://127.0.0.1:1").once("GET", "/", headers={}))


def test_refusal_names_the_call_and_what_the_shop_said():
    problem = {"code": "out_of_stock", "detail": "2 are there"}

    assert str(Refused("POST", "/x/", Answer(409, {}, problem))) == (
        "POST /x/: 409 out_of_stock 2 are there"
    )
    assert str(Refused("GET", "/x/", Answer(500, {}, None))) == "GET /x/: 500  None"


@pytest.mark.parametrize(("value", "is_replay"), [("true", True), ("True", True), ("false", False)])
def test_replay_is_what_the_header_says(value, is_replay):
    server = HttpServer(in_turn(Reply(201, {}, {"Idempotency-Replayed": value})))

    assert called(server)[0].is_replay is is_replay
