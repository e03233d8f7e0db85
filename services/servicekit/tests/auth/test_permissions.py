"""Who may call: by the claims alone, people by their role and machine clients by their scope."""

import pytest
from django.db import connection

from servicekit.auth import revocations
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.tokens import make_client_token, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]
NOBODY: tuple[str, ...] = ()
CUSTOMER = ("customer",)
#: What a token of the release before says of staff: no further role.
STAFF_OF_BEFORE = ("customer", "staff")
DESK, TILL, KITCHEN, ADMIN = (
    ("customer", "staff", role) for role in ("desk", "till", "kitchen", "admin")
)


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        # GET /desk/, POST /desk/, GET /staff-writes/, POST /staff-writes/, GET /staff/
        (NOBODY, (401, 401, 200, 401, 401)),
        (CUSTOMER, (403, 403, 200, 403, 403)),
        (KITCHEN, (403, 403, 200, 403, 200)),
        (TILL, (200, 200, 200, 403, 200)),
        (DESK, (200, 200, 200, 200, 200)),
        (ADMIN, (200, 200, 200, 200, 200)),
        (STAFF_OF_BEFORE, (200, 200, 200, 200, 200)),
        # A role counts for staff only.
        (("customer", "desk"), (403, 403, 200, 403, 403)),
        (("admin",), (403, 403, 200, 403, 403)),
        (("staff", "Desk", "desk ", "ADMIN"), (403, 403, 200, 403, 200)),
    ],
    ids=lambda value: "-".join(map(str, value)) or "nobody",
)
def test_role_opens_what_is_for_it(roles: tuple[str, ...], statuses: tuple[int, ...]) -> None:
    caller = Caller(*roles)

    answers = [
        caller.get("/desk/"),
        caller.post("/desk/"),
        caller.get("/staff-writes/"),
        caller.post("/staff-writes/"),
        caller.get("/staff/"),
    ]

    assert tuple(answer.status_code for answer in answers) == statuses


def test_refusal_names_the_roles_that_would_do() -> None:
    body = problem(Caller(*KITCHEN).post("/desk/"), 403, "permission_denied")

    assert body["required_roles"] == ["desk", "till"]
    assert body["detail"] == "This is for staff with the role desk or till."


def test_refusal_of_a_machine_names_the_scope_that_would_do() -> None:
    answer = Caller.machine("desk:read").post("/desk/")

    assert problem(answer, 403, "insufficient_scope")["required_scopes"] == ["desk:write"]
    assert answer["WWW-Authenticate"].endswith('error="insufficient_scope", scope="desk:write"')


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        # GET and POST each: /desk/, /counter/, /guest-book/; then GET of /private/ and /staff/
        (NOBODY, (403, 403, 403, 403, 200, 403, 403, 403)),
        (("desk:read",), (200, 403, 200, 200, 200, 403, 403, 403)),
        (("desk:write",), (403, 200, 403, 403, 200, 403, 403, 403)),
        (("desk:read", "desk:write"), (200, 200, 200, 200, 200, 403, 403, 403)),
        (("desk:rea", "desk:writes", "desk"), (403, 403, 403, 403, 200, 403, 403, 403)),
    ],
    ids=lambda value: "-".join(map(str, value)) or "no-scope",
)
def test_scope_opens_what_is_for_it(scopes: tuple[str, ...], statuses: tuple[int, ...]) -> None:
    machine = Caller.machine(*scopes)

    answers = [
        *(
            call(path)
            for path in ("/desk/", "/counter/", "/guest-book/")
            for call in (machine.get, machine.post)
        ),
        machine.get("/private/"),
        machine.get("/staff/"),
    ]

    assert tuple(answer.status_code for answer in answers) == statuses


def test_t37_undocumented_claims_open_nothing() -> None:
    """A fault of the issuer: well signed, and says more than users ever does."""
    extra = {
        "is_staff": True,
        "is_superuser": True,
        "permissions": ["*"],
        "groups": ["admin"],
        "role": "admin",
        "scope": "desk:read desk:write",
        "scp": ["desk:write"],
    }
    headers = {"Authorization": f"Bearer {make_token(**extra)}"}
    nobody = Caller()

    for method, path in (("GET", "/desk/"), ("POST", "/staff-writes/"), ("GET", "/staff/")):
        problem(nobody.call(method, path, **headers), 403, "permission_denied")
    assert decoded(nobody.get("/open/", **headers))["roles"] == ["customer"]


def test_t37_machine_claims_beside_its_scope_open_nothing() -> None:
    extra = {"is_staff": True, "groups": ["admin"], "scp": ["desk:write"], "permissions": ["*"]}
    headers = {"Authorization": f"Bearer {make_client_token('desk:read', **extra)}"}

    problem(Caller().post("/desk/", **headers), 403, "insufficient_scope")
    problem(Caller().get("/staff/", **headers), 403, "insufficient_scope")


def test_permission_asks_no_database() -> None:
    caller, machine = Caller(*TILL), Caller.machine("desk:read")
    caller.get("/desk/")  # the revocations are read once a second

    with connection.execute_wrapper(_refuse):
        assert caller.get("/desk/").status_code == 200
        assert caller.post("/staff-writes/").status_code == 403
        assert machine.get("/desk/").status_code == 200
    revocations.forget()


def _refuse(*_arguments: object) -> None:
    raise AssertionError("a permission asked the database")
