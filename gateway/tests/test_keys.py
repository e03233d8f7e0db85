"""Where the verifier's keys come from, and what happens when users rotates them, breaks or goes
away.
"""

import contextlib
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.client import assert_problem
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import Answer, Upstream

from servicekit.testing.tokens import Signer, compact, key_set

NJS = Path(__file__).parents[1] / "njs"
KEYS = "/.well-known/jwks.json"
StartGateway = Callable[..., Gateway]


def fetches(services: Services) -> int:
    return len(services.users.requests_for(KEYS))


def test_key_set_is_fetched_once_for_many_tokens(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()

    statuses = {gateway.get("/api/orders/", signer.token()).status for _ in range(20)}

    assert statuses == {200}
    assert fetches(own_services) == 1


def test_keys_are_had_before_the_first_token(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    own_services.users.stop()

    assert gateway.get("/readyz").status == 200
    assert gateway.get("/api/orders/", signer.token()).status == 200
    assert gateway.get("/readyz").status == 200


def test_gateway_without_keys_is_not_ready_and_asks_until_it_has_them(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    good = own_services.users.answers[KEYS]
    own_services.users.answers[KEYS] = Answer(status=500, body=b"")
    gateway = own_gateway(KEYS_COOLDOWN="1s")
    assert_problem(gateway.get("/readyz"), 503)
    own_services.users.answers[KEYS] = good

    # Nobody but gateway/start asks meanwhile.
    asked = fetches(own_services)
    wait_until(lambda: fetches(own_services) > asked, "users to be asked again")

    assert gateway.get("/readyz").status == 200
    assert gateway.get("/api/orders/", signer.token()).status == 200


def test_unknown_key_ids_make_users_be_asked_once_per_cooldown(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway(KEYS_COOLDOWN="60s")

    statuses = {gateway.get("/api/orders/", Signer().token()).status for _ in range(20)}

    assert statuses == {401}
    assert fetches(own_services) == 2
    assert gateway.get("/api/orders/", signer.token()).status == 200


def test_new_key_is_accepted_at_its_first_token(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    assert gateway.get("/api/orders/", signer.token()).status == 200
    successor = Signer()
    own_services.users.answers[KEYS] = Answer(body=key_set(successor, signer))

    assert gateway.get("/api/orders/", successor.token()).status == 200
    assert gateway.get("/api/orders/", signer.token()).status == 200


def test_withdrawn_key_stops_being_accepted(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway(KEYS_REFRESH="1s", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200

    own_services.users.answers[KEYS] = Answer(body=key_set(Signer()))

    wait_until(
        lambda: gateway.get("/api/orders/", signer.token()).status == 401,
        "the withdrawn key to be refused",
    )


@pytest.mark.parametrize("fault", ["away", "failing", "hanging"])
def test_users_is_asked_once_per_cooldown_whatever_it_answers(
    own_gateway: StartGateway, own_services: Services, signer: Signer, impatient: str, fault: str
) -> None:
    gateway = own_gateway(NJS_DIR=impatient, KEYS_REFRESH="1s", KEYS_COOLDOWN="60s")
    assert gateway.get("/api/orders/", signer.token()).status == 200
    with Faulty(own_services.users, fault) as users:
        wait_until(
            lambda: gateway.get("/api/orders/", signer.token()).status == 200 and users.asked(),
            "a fetch",
        )

        known = {gateway.get("/api/orders/", signer.token()).status for _ in range(50)}
        unknown = {gateway.get("/api/orders/", Signer().token()).status for _ in range(50)}

        assert (known, unknown) == ({200}, {401})
        assert users.asked() <= 2  # the refresh, and what is asked for unknown key ids
    assert gateway.errors().count("\n") < 20


def test_valid_token_does_not_wait_for_users_that_hangs(
    own_gateway: StartGateway, own_services: Services, signer: Signer, impatient: str
) -> None:
    gateway = own_gateway(NJS_DIR=impatient, KEYS_REFRESH="1s", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200
    with Faulty(own_services.users, "hanging") as users:
        wait_until(
            lambda: gateway.get("/api/orders/", signer.token()).status == 200 and users.asked() > 2,
            "fetches",
        )

        def answered() -> int:
            before = users.asked()
            assert gateway.get("/api/orders/", signer.token()).status == 200
            assert all(is_open(connection) for connection in users.connections[before:])
            return users.asked()

        # Each cool-down is a chance to wait for what was asked then; in none does a valid token.
        wait_until(lambda: answered() > 5, "some cool-downs")


class Faulty:
    """The users service at fault, for the length of a block: away, failing, or taking requests and
    saying nothing.
    """

    def __init__(self, users: Upstream, fault: str) -> None:
        self.users, self.fault = users, fault
        # That ask for keys, and for what is revoked.
        self.connections: list[socket.socket] = []
        self.others: list[socket.socket] = []
        self.before = 0

    def __enter__(self) -> "Faulty":
        self.before = len(self.users.requests_for(KEYS))
        if self.fault == "failing":
            self.users.answers[KEYS] = Answer(503, b"{}")
        else:
            self.users.stop()
            host, port = self.users.address.split(":")
            self.listener = socket.create_server((host, int(port)))
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.fault != "failing":
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            for connection in self.connections + self.others:
                connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                asks_for_keys = KEYS.encode() in connection.recv(65536)
                (self.connections if asks_for_keys else self.others).append(connection)
                if self.fault == "away":
                    connection.close()

    def asked(self) -> int:
        return len(self.connections) or len(self.users.requests_for(KEYS)) - self.before


def is_open(connection: socket.socket) -> bool:
    """Whether the other side still waits for an answer."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    return False


@pytest.fixture
def impatient(tmp_path: Path) -> str:
    """The gateway's scripts, for which a key set is too old after a second."""
    scripts = shutil.copytree(NJS, tmp_path / "njs")
    text = (scripts / "keys.js").read_text()
    assert "TOO_OLD_SECONDS = 20;" in text
    (scripts / "keys.js").write_text(text.replace("TOO_OLD_SECONDS = 20;", "TOO_OLD_SECONDS = 1;"))
    return str(scripts)


def test_withdrawn_key_is_refused_before_the_set_is_refreshed(
    own_gateway: StartGateway, own_services: Services, signer: Signer, impatient: str
) -> None:
    gateway = own_gateway(NJS_DIR=impatient, KEYS_REFRESH="1h", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200

    own_services.users.answers[KEYS] = Answer(body=key_set(Signer()))

    wait_until(
        lambda: gateway.get("/api/orders/", signer.token()).status == 401,
        "the withdrawn key to be refused",
    )


def test_too_old_set_is_believed_while_users_is_away(
    own_gateway: StartGateway, own_services: Services, signer: Signer, impatient: str
) -> None:
    gateway = own_gateway(NJS_DIR=impatient, KEYS_REFRESH="1h", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200
    asked = fetches(own_services)
    own_services.users.answers[KEYS] = Answer(503, b"{}")
    statuses: set[int] = set()

    def asked_again() -> bool:
        statuses.add(gateway.get("/api/orders/", signer.token()).status)
        return fetches(own_services) > asked + 1

    wait_until(asked_again, "users to be asked twice more")
    own_services.users.stop()
    statuses.add(gateway.get("/api/orders/", signer.token()).status)

    assert statuses == {200}
    assert gateway.get("/api/orders/", Signer().token()).status == 401


BROKEN = {
    "html": Answer(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
    "no keys": Answer(body=b'{"keys": []}'),
    "not a key set": Answer(body=b"[]"),
    "only other keys": Answer(
        body=b'{"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}]}'
    ),
    "bad point": Answer(
        body=b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA", "y": "AA"}]}'
    ),
    "empty": Answer(body=b""),
    "oversized": Answer(body=b'{"keys": [' + b" " * 200_000 + b"]}"),
    "error": Answer(500, b"{}"),
    "redirect": Answer(302, b"", {"Location": "http://127.0.0.1:9/"}),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_broken_answer_does_not_replace_the_last_good_set(
    own_gateway: StartGateway, own_services: Services, signer: Signer, broken: Answer
) -> None:
    gateway = own_gateway(KEYS_REFRESH="1s", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200
    own_services.users.answers[KEYS] = broken
    statuses: set[int] = set()

    def asked_twice_more() -> bool:
        statuses.add(gateway.get("/api/orders/", signer.token()).status)
        return fetches(own_services) >= 3

    wait_until(asked_twice_more, "two more fetches")
    assert statuses == {200}


def test_key_set_recovers_after_an_outage(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway(KEYS_REFRESH="1s", KEYS_COOLDOWN="1s")
    assert gateway.get("/api/orders/", signer.token()).status == 200
    own_services.users.stop()
    assert gateway.get("/api/orders/", signer.token()).status == 200
    successor = Signer()
    own_services.users.answers[KEYS] = Answer(body=key_set(successor))
    own_services.users.start()

    wait_until(lambda: gateway.get("/api/orders/", successor.token()).status == 200, "the new set")


def test_without_any_key_set_tokens_are_503_not_401(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    own_services.users.stop()
    gateway = own_gateway(KEYS_COOLDOWN="1s")
    token = signer.token()

    refused = gateway.get("/api/orders/", token)

    assert_problem(refused, 503, "keys_unavailable")
    assert refused.headers["Retry-After"]
    assert gateway.get("/api/products/").status == 200
    assert_problem(gateway.get("/api/orders/", "a.b.c"), 401)
    own_services.users.start()
    wait_until(lambda: gateway.get("/api/orders/", token).status == 200, "the first key set")


def test_unusable_keys_beside_a_good_one_are_ignored(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    others = [
        {"kty": "RSA", "kid": "r"},
        {"kty": "EC", "crv": "P-384", "kid": "e"},
        None,
        "key",
        {**signer.jwk(), "kid": ""},
    ]
    own_services.users.answers[KEYS] = Answer(body=compact({"keys": [*others, signer.jwk()]}))
    gateway = own_gateway()

    assert gateway.get("/api/orders/", signer.token()).status == 200


def test_last_good_set_survives_a_restart_of_the_gateway(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    assert gateway.get("/api/orders/", signer.token()).status == 200
    own_services.users.stop()
    gateway.kill_master()

    gateway.start()

    assert gateway.get("/api/orders/", signer.token()).status == 200
