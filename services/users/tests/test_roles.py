"""Roles of staff: granted by admins, told by tokens, gone within seconds."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from servicekit.auth import tokens as access_tokens
from servicekit.auth.permissions import MissingRole
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.grants import Operation, assert_closed, operations
from servicekit.testing.races import at_once
from servicekit.testing.tokens import make_client_token, make_token
from tests.factories import PASSWORD, make_account
from users.errors import LastAdmin
from users.models import Account
from users.roles import STAFF_ROLES
from users.services import roles, sessions

REVOKED = "users.user_sessions_revoked.v1"
OPERATIONS = operations("users")


def roles_path(account: Account | UUID) -> str:
    return f"/api/users/{getattr(account, 'pk', account)}/roles/"


def bearer(account: Account) -> dict[str, str]:
    """The header of a new session of the account."""
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def state() -> list[object]:
    return [
        *Account.objects.order_by("pk").values_list("pk", "is_staff", "is_active", "version"),
        *Account.groups.through.objects.order_by("pk").values_list("account_id", "group_id"),
    ]


@pytest.mark.django_db
def test_admin_grants_and_takes_roles(ring: None) -> None:
    admin, packer = make_account(roles=["admin"]), make_account()
    headers, nobody = bearer(admin), Caller()
    old = bearer(packer)

    granted = nobody.call(
        "PUT", roles_path(packer), {"roles": ["support", "fulfilment"]}, **headers
    )

    assert decoded(granted) == {"roles": ["fulfilment", "support"]}
    assert granted["Cache-Control"] == "no-store"
    assert decoded(nobody.get(roles_path(packer), **headers)) == decoded(granted)
    problem(nobody.get("/api/users/me/", **old), 401, "invalid_token")
    token = bearer(packer)["Authorization"].partition(" ")[2]
    assert access_tokens.verified(token).claims.roles == {
        "customer", "staff", "fulfilment", "support",
    }  # fmt: skip
    assert len(outbox_events(REVOKED)) == 1

    taken = nobody.call("PUT", roles_path(packer), {"roles": []}, **headers)

    assert decoded(taken) == {"roles": []}
    packer.refresh_from_db()
    assert (packer.is_staff, packer.version) == (False, 3)
    assert len(outbox_events(REVOKED)) == 2


@pytest.mark.django_db
def test_roles_that_are_held_already_change_nothing(ring: None) -> None:
    admin, packer = make_account(roles=["admin"]), make_account(roles=["fulfilment"])
    headers = bearer(admin)
    before = state()

    answer = Caller().call("PUT", roles_path(packer), {"roles": ["fulfilment"]}, **headers)

    assert decoded(answer) == {"roles": ["fulfilment"]}
    assert (state(), outbox_events(REVOKED)) == (before, [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/roles"),
        ({"roles": None}, "/roles"),
        ({"roles": "admin"}, "/roles"),
        ({"roles": ["Admin"]}, "/roles/0"),
        ({"roles": ["staff"]}, "/roles/0"),
        ({"roles": ["machine"]}, "/roles/0"),
        ({"roles": [["admin"]]}, "/roles/0"),
        ({"roles": ["support"] * 5}, "/roles"),
        ({"roles": [], "is_superuser": True}, "/is_superuser"),
    ],
    ids=str,
)
def test_u6_roles_that_are_none_are_refused(ring: None, body: object, pointer: str) -> None:
    admin, ada = make_account(roles=["admin"]), make_account()
    headers = bearer(admin)
    before = state()

    answer = Caller().call("PUT", roles_path(ada), body, **headers)

    problem(answer, 400, "invalid", pointer)
    assert (state(), outbox_events(REVOKED)) == (before, [])


@pytest.mark.django_db
@pytest.mark.parametrize("role", sorted(set(STAFF_ROLES) - {"admin"}))
def test_nobody_but_an_admin_raises_anybody(ring: None, role: str) -> None:
    make_account(roles=["admin"])
    member, customer = make_account(roles=[role]), make_account()
    before = state()

    for caller in (member, customer):
        headers = bearer(caller)
        for target in (caller, member, customer):
            answer = Caller().call("PUT", roles_path(target), {"roles": ["admin"]}, **headers)
            assert problem(answer, 403, "permission_denied")["required_roles"] == ["admin"]
            problem(Caller().get(roles_path(target), **headers), 403)
    problem(Caller().call("PUT", roles_path(customer), {"roles": []}), 401, "not_authenticated")
    assert (state(), outbox_events(REVOKED)) == (before, [])


@pytest.mark.django_db
@pytest.mark.parametrize("member", ["roles", "is_staff", "is_superuser", "groups"])
def test_u6_profile_takes_no_role(ring: None, member: str) -> None:
    ada = make_account()
    before = state()

    answer = Caller().patch("/api/users/me/", {"name": "Ada", member: ["admin"]}, **bearer(ada))

    problem(answer, 400, "invalid", f"/{member}")
    assert state() == before


@pytest.mark.django_db
def test_t36_demoted_admin_cannot_raise_themself_with_an_old_token(ring: None) -> None:
    """The revocation takes up to a second to be seen by every process; the database decides."""
    other, admin = make_account(roles=["admin"]), make_account(roles=["admin"])
    roles.set_roles(account_id=admin.pk, roles=set(), by=other.pk)
    before = state()

    with pytest.raises(MissingRole):
        roles.set_roles(account_id=admin.pk, roles={"admin"}, by=admin.pk)
    with pytest.raises(MissingRole):
        roles.deactivate(account_id=other.pk, by=admin.pk)

    assert state() == before


@pytest.mark.django_db
def test_t36_demoted_member_is_refused_at_once(ring: None) -> None:
    admin, helper = make_account(roles=["admin"]), make_account(roles=["support"])
    old = bearer(helper)
    assert Caller().get("/api/users/", **old).status_code == 200

    roles.set_roles(account_id=helper.pk, roles={"catalogue"}, by=admin.pk)

    problem(Caller().get("/api/users/", **old), 401, "invalid_token")
    answer = Caller().get("/api/users/", **bearer(helper))
    assert problem(answer, 403, "permission_denied")["required_roles"] == ["support"]


@pytest.mark.django_db
@pytest.mark.parametrize("also", [[], ["support", "catalogue"]])
def test_last_admin_cannot_be_demoted_nor_deactivated(ring: None, also: list[str]) -> None:
    admin = make_account(roles=["admin", *also])
    make_account(roles=["admin"], is_active=False)
    make_account(roles=["support"])
    headers = bearer(admin)
    before = state()

    demoted = Caller().call("PUT", roles_path(admin), {"roles": also}, **headers)
    deactivated = Caller().post(f"/api/users/{admin.pk}/deactivate/", **headers)

    problem(demoted, 409, "last_admin")
    problem(deactivated, 409, "last_admin")
    assert (state(), outbox_events(REVOKED)) == (before, [])
    kept = Caller().call("PUT", roles_path(admin), {"roles": ["admin", "fulfilment"]}, **headers)
    assert decoded(kept) == {"roles": ["admin", "fulfilment"]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("demote", ["roles", "deactivate"])
def test_of_admins_who_demote_each_other_at_once_one_stays(ring: None, demote: str) -> None:
    admins = [make_account(roles=["admin"]) for _ in range(4)]
    pairs = zip(admins, [*admins[1:], admins[0]], strict=True)

    def attempt(by: Account, whom: Account) -> Callable[[], str]:
        def run() -> str:
            try:
                if demote == "roles":
                    roles.set_roles(account_id=whom.pk, roles=set(), by=by.pk)
                else:
                    roles.deactivate(account_id=whom.pk, by=by.pk)
            except (LastAdmin, MissingRole) as refusal:
                return type(refusal).__name__
            return "done"

        return run

    results = at_once(*(attempt(by, whom) for by, whom in pairs))

    left = Account.objects.filter(groups__name="admin", is_staff=True, is_active=True).count()
    assert left == 4 - results.count("done")
    assert left >= 1


@pytest.mark.django_db
def test_admin_deactivates_and_reactivates_an_account(ring: None) -> None:
    admin, ada = make_account(roles=["admin"]), make_account()
    headers, old = bearer(admin), bearer(ada)

    answer = Caller().post(f"/api/users/{ada.pk}/deactivate/", **headers)

    assert decoded(answer)["id"] == str(ada.pk)
    problem(Caller().get("/api/users/me/", **old), 401, "invalid_token")
    body = {"email": ada.email, "password": PASSWORD}
    problem(Caller().post("/api/auth/token/", body), 401, "wrong_credentials")
    assert Caller().post(f"/api/users/{ada.pk}/reactivate/", **headers).status_code == 200
    assert Caller().post("/api/auth/token/", body).status_code == 200


@pytest.mark.django_db
def test_unknown_account_has_no_roles(ring: None) -> None:
    headers = bearer(make_account(roles=["admin"]))
    missing = "018f0000-0000-7000-8000-000000000009"

    problem(Caller().get(roles_path(UUID(missing)), **headers), 404)
    problem(Caller().call("PUT", roles_path(UUID(missing)), {"roles": []}, **headers), 404)
    for action in ("deactivate", "reactivate"):
        problem(Caller().post(f"/api/users/{missing}/{action}/", **headers), 404)


@pytest.mark.django_db
def test_staff_without_a_role_is_told_as_a_customer() -> None:
    """The release before may still make one while an upgrade runs."""
    account = make_account()
    Account.objects.filter(pk=account.pk).update(is_staff=True)

    account.refresh_from_db()

    assert account.roles == ["customer"]


@pytest.mark.django_db
def test_group_beside_the_roles_is_not_told() -> None:
    account = make_account(roles=["support", "newsletter"])

    assert account.roles == ["customer", "staff", "support"]


@pytest.mark.django_db
def test_list_asks_for_all_roles_at_once(ring: None, staff: Caller) -> None:
    for _ in range(3):
        make_account(roles=["support"])
    counted = []

    def count(execute, sql, params, many, context):
        counted.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        decoded(staff.get("/api/users/"))

    assert sum("auth_group" in sql for sql in counted) == 1


@pytest.mark.django_db
def test_operator_gives_and_takes_a_single_role(capsys: pytest.CaptureFixture[str]) -> None:
    make_account(email="ada@example.org")

    call_command("make_staff", "ada@example.org", "--role", "support")
    call_command("make_staff", "ada@example.org", "--role", "catalogue")
    call_command("make_staff", "ada@example.org", "--revoke", "--role", "support")

    assert Account.objects.get().roles == ["customer", "staff", "catalogue"]
    call_command("make_staff", "ada@example.org", "--revoke", "--role", "catalogue")
    assert not Account.objects.get().is_staff
    assert capsys.readouterr().out.count("its sessions end") == 2


def header_of(*names: str, machine: bool = False) -> dict[str, str]:
    token = make_client_token(*names) if machine else make_token(roles=names)
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.django_db
@pytest.mark.usefixtures("test_keys")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_operation_is_closed_to_those_whom_it_does_not_name(operation: Operation) -> None:
    """T36, T37: by its document, so that no operation is forgotten."""
    assert_closed(operation, roles=set(STAFF_ROLES) - {"admin"})

    assert outbox_events() == []


@pytest.mark.django_db
@pytest.mark.usefixtures("test_keys")
@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.roles], ids=lambda each: each.name
)
def test_operation_is_open_to_those_whom_it_names(operation: Operation) -> None:
    held = [("customer", "staff", role) for role in (*operation.roles, "admin")]
    headers = [header_of(*roles) for roles in held]
    headers += [header_of(scope, machine=True) for scope in operation.scopes]

    for each in headers:
        answer = Caller().call(operation.method, operation.path, **each)
        # What is asked for does not exist, or the body is missing; a role written by hand is no
        # admin of the database (MissingRole names it).
        is_made_up = answer.status_code == 403 and operation.roles == {"admin"}
        assert answer.status_code not in (401, 403) or is_made_up, answer.content


@pytest.mark.django_db
def test_account_that_is_no_admin_may_go_from_a_shop_without_any() -> None:
    roles.keep_an_admin(account_id=make_account().pk)
    roles.keep_an_admin(account_id=make_account(roles=["support"]).pk)
    only = make_account(roles=["admin"]).pk

    with pytest.raises(LastAdmin):
        roles.keep_an_admin(account_id=only)
