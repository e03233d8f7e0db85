"""Passkeys over HTTP, and what hostile clients send."""

from typing import Any

import cbor2
import pytest

from servicekit.testing.client import Caller, decoded, problem
from tests.authenticators import Authenticator, Owner, bytes_of, text_of, with_passkey
from tests.factories import PASSWORD
from tests.people import ME, TOKEN, Person
from users.models import Passkey, RecoveryCode, Session
from users.models.passkeys import MAX_CREDENTIAL_ID_BYTES, MAX_PUBLIC_KEY_BYTES

pytestmark = pytest.mark.django_db
OWN = ME + "passkeys/"
OPTIONS, CHALLENGE = OWN + "options/", OWN + "challenge/"
BEGIN, LOG_IN, ANSWER = (
    "/api/auth/passkey/options/",
    "/api/auth/passkey/",
    "/api/auth/second-factor/",
)
RIGHT = {"current_password": PASSWORD}


def options_of(answer: Any) -> Any:
    return decoded(answer)["publicKey"]


def made(person: Person, key: Authenticator, **wrong: Any) -> Any:
    """What the browser returns for a new passkey."""
    return key.create(options_of(person.post(OPTIONS, RIGHT)), **wrong)


def add(person: Person, credential: Any, name: Any = "Key") -> Any:
    return person.post(OWN, {"name": name, "credential": credential})


def test_journey_of_a_passkey(ring: None) -> None:
    person, nobody, key = Person(), Caller(), Authenticator()

    added = decoded(add(person, made(person, key), "Téléphone"), 201)
    listed = decoded(person.get(OWN))["results"]
    path = f"{OWN}{added['passkey']['id']}/"
    renamed = decoded(person.patch(path, {"name": "Phone"}))
    refused = problem(
        nobody.post(TOKEN, {"email": person.account.email, "password": PASSWORD}), 401
    )
    second = {"challenge": refused["challenge"], "passkey": key.get(refused["passkey"])}
    two_steps = nobody.post(ANSWER, second)
    begun = nobody.post(BEGIN)
    alone = nobody.post(LOG_IN, {"credential": key.get(options_of(begun))})
    proof = {**RIGHT, "passkey": key.get(options_of(person.post(CHALLENGE)))}
    removed = person.post(f"{path}remove/", proof)

    assert listed == [added["passkey"]]
    assert (renamed["name"], listed[0]["name"]) == ("Phone", "Téléphone")
    assert len(added["recovery_codes"]) == 10
    assert all(decoded(each)["access_token"] for each in (two_steps, alone))
    assert {each["Cache-Control"] for each in (two_steps, begun, alone)} == {"no-store"}
    assert removed.status_code == 204
    problem(person.get(OWN), 401)
    assert person.account.recovery_codes.count() == 0


def test_export_holds_the_second_factor_and_no_key(ring: None) -> None:
    person, key = Person(), Authenticator()
    add(person, made(person, key))

    answer = person.get(ME + "export/")

    body = decoded(answer)
    assert body["second_factor"]["passkeys"] == 1
    assert [each["name"] for each in body["passkeys"]] == ["Key"]
    assert text_of(key.credential_id) not in answer.content.decode()


def huge(key: Authenticator, part: str) -> Any:
    """What an authenticator's data are when the id or the key is longer than any."""
    if part == "id":
        long = Authenticator(credential_id=b"x" * (MAX_CREDENTIAL_ID_BYTES + 1))
        return long.auth_data("localhost")
    rsa = {1: 3, 3: -257, -1: b"\xff" * MAX_PUBLIC_KEY_BYTES, -2: b"\x01\x00\x01"}
    return key.auth_data("localhost", rsa)


CBOR = cbor2.dumps
#: What no key is registered with: `create`'s arguments.
UNUSABLE: dict[str, Any] = {
    "other origin": lambda key: {"origin": "https://evil.example"},
    "other domain": lambda key: {"rp_id": "evil.example"},
    "page within another site's": lambda key: {"crossOrigin": True},
    "other challenge": lambda key: {"challenge": text_of(b"other")},
    "challenge without a signature": lambda key: {"challenge": text_of(b"a:b:c")},
    "assertion": lambda key: {"type": "webauthn.get"},
    "algorithm none": lambda key: {"cose_key": key.cose_key(alg=0)},
    "algorithm of SHA-1": lambda key: {"cose_key": key.cose_key(alg=-65535)},
    "algorithm HS256": lambda key: {"cose_key": {1: 4, 3: 5, -1: b"secret"}},
    "point off the curve": lambda key: {"cose_key": key.cose_key(x=b"\1" * 32)},
    "no key": lambda key: {"cose_key": {7: 7}},
    "key that is no map": lambda key: {"cose_key": [1, 2]},
    "no CBOR": lambda key: {"attestation": b"\xff\xff"},
    "number": lambda key: {"attestation": CBOR(7)},
    "deep CBOR": lambda key: {"attestation": b"\x81" * 5000},
    "endless array": lambda key: {"attestation": b"\x9b" + b"\xff" * 8},
    "cut off": lambda key: {"attestation": CBOR({"fmt": "none", "attStmt": {}})[:-3]},
    "data that are no bytes": lambda key: {"attestation": CBOR({"fmt": "none", "authData": {}})},
    "bytes behind": lambda key: {"auth_data": key.auth_data("localhost") + b"\0"},
    "unknown format": lambda key: {"statement": {"fmt": "tomorrow"}},
    "format of garbage": lambda key: {"statement": {"fmt": "packed", "attStmt": {"x5c": [7]}}},
    "TPM of garbage": lambda key: {"statement": {"fmt": "tpm", "attStmt": {"certInfo": b"x"}}},
    "long id": lambda key: {"auth_data": huge(key, "id")},
    "long key": lambda key: {"auth_data": huge(key, "key")},
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_passkey_is_400_and_changes_nothing(ring: None, name: str) -> None:
    person, key = Person(), Authenticator()

    problem(add(person, made(person, key, **UNUSABLE[name](key))), 400, "unusable_passkey")

    assert not Passkey.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert decoded(add(person, made(person, key)), 201)


def test_passkey_that_is_registered_is_409(ring: None) -> None:
    owner, person = with_passkey(), Person()

    problem(add(person, made(person, owner.key)), 409, "passkey_known")

    assert Passkey.objects.get().account == owner.account


BAD_TEXTS: dict[str, Any] = {
    "nothing": None,
    "empty": "",
    "number": 7,
    "list": ["AAAA"],
    "padding": "AAA=",
    "other alphabet": "AA+/",
    "NUL": "AA\0A",
    "line end": "AAAA\n",
    "8,193 characters": "A" * 8193,
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_member_that_is_no_base64url_is_400(ring: None, name: str) -> None:
    owner, nobody = with_passkey(), Caller()
    credential = owner.key.get(options_of(nobody.post(BEGIN)))

    for member in ("clientDataJSON", "authenticatorData", "signature"):
        response = {**credential["response"], member: BAD_TEXTS[name]}
        problem(nobody.post(LOG_IN, {"credential": {**credential, "response": response}}), 400)
    for member in ("id", "rawId", "type", "response"):
        problem(nobody.post(LOG_IN, {"credential": {**credential, member: BAD_TEXTS[name]}}), 400)

    assert not Session.objects.exists()


def test_body_of_a_megabyte_is_413(ring: None) -> None:
    raw = b'{"credential": {"id": "' + b"A" * 1_000_000 + b'"}}'

    for path in (LOG_IN, BEGIN, ANSWER):
        problem(Caller().post(path, raw=raw), 413)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"code": "123456", "passkey": True}, {"code": None}, {"passkey": None}, {"passkey": []}],
    ids=["neither", "both", "no code", "no passkey", "list"],
)
def test_second_step_takes_one_of_code_and_passkey(ring: None, wrong: Any) -> None:
    owner = with_passkey()
    body = {"email": owner.account.email, "password": PASSWORD}
    told = problem(Caller().post(TOKEN, body), 401, "second_factor_required")
    if wrong.get("passkey") is True:
        wrong = {**wrong, "passkey": owner.key.get(told["passkey"])}

    problem(Caller().post(ANSWER, {"challenge": told["challenge"], **wrong}), 400)

    assert not Session.objects.exists()


def test_wrong_passkey_says_so(ring: None) -> None:
    owner, nobody = with_passkey(), Caller()
    body = {"email": owner.account.email, "password": PASSWORD}
    told = problem(nobody.post(TOKEN, body), 401)
    answer = {
        "challenge": told["challenge"],
        "passkey": Authenticator(user_handle=b"x").get(told["passkey"]),
    }

    second = problem(nobody.post(ANSWER, answer), 401, "wrong_passkey")
    credential = Authenticator(user_handle=b"x").get(options_of(nobody.post(BEGIN)))
    credential["response"]["userHandle"] = None
    alone = nobody.post(LOG_IN, {"credential": credential})

    assert second["tries_left"] == 4
    assert "tries_left" not in problem(alone, 401, "wrong_passkey")
    assert alone["WWW-Authenticate"].startswith("Bearer")


def test_passkeys_are_their_owner_s(ring: None) -> None:
    owner, person = with_passkey(), Person()
    path = f"{OWN}{owner.passkey.pk}/"

    assert decoded(person.get(OWN))["results"] == []
    problem(person.patch(path, {"name": "Mine"}), 404)
    problem(person.post(f"{path}remove/", RIGHT), 404)
    for method, each in (("GET", OWN), ("POST", OWN), ("POST", OPTIONS), ("PATCH", path)):
        problem(Caller().call(method, each), 401)

    assert owner.passkey.name == "Key"


def test_password_is_asked_for_and_not_for_guessing(ring: None) -> None:
    person, wrong = Person(), {"current_password": "wrong"}
    # Twenty from a place that the account is known at.
    statuses = [person.post(OPTIONS, wrong).status_code for _ in range(22)]

    assert statuses == [403] * 20 + [429] * 2


def test_names_are_lines_of_text(ring: None) -> None:
    person, key = Person(), Authenticator()
    credential = made(person, key)

    for name in ("", " ", 7, None, "a\nb", "\u202ex", "x" * 101):
        problem(add(person, credential, name), 400)

    assert not Passkey.objects.exists()


def owned_by(person: Person) -> Owner:
    key = Authenticator()
    return Owner(
        person.account, key, decoded(add(person, made(person, key)), 201)["recovery_codes"]
    )


def test_app_is_added_beside_a_passkey_with_its_proof(ring: None) -> None:
    person = Person()
    owner = owned_by(person)
    path = ME + "second-factor/"

    problem(person.post(path, RIGHT), 403, "second_factor_proof_missing")
    proof = {"passkey": owner.key.get(options_of(person.post(CHALLENGE)))}
    first = person.post(path, {**RIGHT, **proof})
    again = person.post(path, {**RIGHT, **proof})

    assert decoded(first)["secret"]
    problem(again, 403, "wrong_passkey")
    assert bytes_of(proof["passkey"]["id"]) == owner.key.credential_id
