"""Sessions against a real server: accounts are made, and tokens renewed when they must be."""

import asyncio

import pytest
from http_server import HttpServer, Reply

from shopper.accounts import CREATE, Account, Session
from shopper.api import Api, Refused

ANNA = Account("anna@example.org", "secret", "Anna")
ADMIN = Account("admin@example.org", "hers")


class Tokens:
    """The token endpoints: each answer has a new pair; `alive` are the access tokens that pass."""

    def __init__(self, lives=900, refresh_status=200, login_status=200):
        self.given, self.alive = 0, set()
        self.lives, self.refresh_status, self.login_status = lives, refresh_status, login_status

    def __call__(self, request):
        if request.path == "/api/auth/token/":
            return self.pair(self.login_status)
        if request.path == "/api/auth/refresh/":
            return self.pair(self.refresh_status)
        token = request.headers["authorization"].removeprefix("Bearer ")
        return Reply(200 if token in self.alive else 401, {"token": token})

    def pair(self, status):
        if status != 200:
            return Reply(status, {"code": "invalid_credentials", "detail": "no"})
        self.given += 1
        self.alive.add(f"access-{self.given}")
        pair = {"access_token": f"access-{self.given}", "refresh_token": f"refresh-{self.given}"}
        return Reply(200, pair | {"expires_in": self.lives})


def in_session(answer, work):
    """Return what `work(session)` returns, and the server that it talked to."""

    async def run(url):
        async with Api(url) as api:
            return await work(Session(api, ANNA))

    with HttpServer(answer).running() as server:
        return asyncio.run(run(server.url)), server


def paths_of(server):
    return [each.path for each in server.requests]


class Accounts:
    """The endpoint for admins, who log in as everybody does."""

    def __init__(self, reply):
        self.reply, self.tokens = reply, Tokens()

    def __call__(self, request):
        return self.reply if request.path == CREATE else self.tokens(request)


def made_by_admin(session):
    return session.create(Session(session.api, ADMIN))


@pytest.mark.parametrize(
    ("reply", "is_new"),
    [(Reply(201, {"id": "1"}), True), (Reply(409, {"code": "email_taken"}), False)],
)
def test_creating_tells_a_new_account_from_a_known_one(reply, is_new):
    found, server = in_session(Accounts(reply), made_by_admin)

    assert found is is_new
    (asked,) = server.asked(CREATE)
    assert asked.body == {"email": ANNA.email, "password": "secret", "name": "Anna"}
    assert asked.headers["authorization"] == "Bearer access-1"
    (log_in,) = server.asked("/api/auth/token/")
    assert log_in.body["email"] == ADMIN.email


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid the password is too short"), (403, "permission_denied no")]
)
def test_account_that_may_not_be_is_refused(status, code):
    refusal = Reply(status, dict(zip(("code", "detail"), code.split(" ", 1), strict=True)))

    with pytest.raises(Refused, match=f"{status} {code}") as refused:
        in_session(Accounts(refusal), made_by_admin)
    assert refused.value.answer.status == status


def test_session_logs_in_once_for_many_calls_at_a_time():
    async def work(session):
        return await asyncio.gather(*(session.call("GET", "/api/orders/") for _ in range(5)))

    answers, server = in_session(Tokens(), work)

    assert [each.body["token"] for each in answers] == ["access-1"] * 5
    assert len(server.asked("/api/auth/token/")) == 1


def test_token_near_its_end_is_renewed_with_the_refresh_token():
    async def work(session):
        await session.call("GET", "/api/orders/")
        return await session.call("GET", "/api/orders/")

    answer, server = in_session(Tokens(lives=15), work)

    assert answer.body == {"token": "access-2"}
    assert [each.body for each in server.asked("/api/auth/refresh/")] == [
        {"refresh_token": "refresh-1"}
    ]


def test_refresh_token_that_is_withdrawn_makes_a_new_log_in():
    async def work(session):
        await session.token()
        return await session.token()

    token, server = in_session(Tokens(lives=15, refresh_status=401), work)

    assert token == "access-2"
    assert paths_of(server) == ["/api/auth/token/", "/api/auth/refresh/", "/api/auth/token/"]


def test_withdrawn_token_is_renewed_and_the_call_repeated_with_its_key():
    tokens = Tokens()

    async def work(session):
        await session.token()
        tokens.alive.clear()
        return await session.call(
            "POST", "/api/orders/", body={"lines": []}, key="k", prefer="wait=5"
        )

    answer, server = in_session(tokens, work)

    assert answer.status == 200
    first, second = server.asked("/api/orders/")
    assert first.body == second.body == {"lines": []}
    assert [each.headers["idempotency-key"] for each in (first, second)] == ["k", "k"]
    assert second.headers["prefer"] == "wait=5"
    assert second.headers["authorization"] == "Bearer access-2"


def test_call_that_stays_unauthorized_is_repeated_once_only():
    def answer(request):
        return tokens(request) if request.path.startswith("/api/auth/") else Reply(401)

    tokens = Tokens()

    last, server = in_session(answer, lambda session: session.call("GET", "/api/users/"))

    assert last.status == 401
    assert len(server.asked("/api/users/")) == 2


def test_wrong_password_is_refused():
    with pytest.raises(Refused, match="POST /api/auth/token/: 401 invalid_credentials no"):
        in_session(Tokens(login_status=401), lambda session: session.call("GET", "/"))
