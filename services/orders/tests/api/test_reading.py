"""Reading an order and its history: its owner and staff alone."""

import pytest
from uuid_utils.compat import uuid7

from orders.models import Status
from servicekit.testing.client import Caller, decoded, problem
from tests.api.calls import AN_ID, PATH
from tests.factories import make_order


@pytest.mark.django_db
@pytest.mark.parametrize("path", [PATH, f"{PATH}{AN_ID}/", f"{PATH}{AN_ID}/history/"])
def test_nobody_gets_401_with_a_challenge(nobody: Caller, path: str) -> None:
    answer = nobody.get(path)

    problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")
    problem(nobody.post(PATH, {}), 401)


@pytest.mark.django_db
def test_somebody_elses_order_does_not_exist(customer: Caller, stranger: Caller) -> None:
    order = make_order(user_id=customer.id)

    for answer in (
        stranger.get(f"{PATH}{order.pk}/"),
        stranger.get(f"{PATH}{order.pk}/history/"),
        stranger.post(f"{PATH}{order.pk}/cancel/"),
    ):
        problem(answer, 404)

    order.refresh_from_db()
    assert order.status == Status.PENDING
    assert decoded(stranger.get(PATH))["results"] == []


@pytest.mark.django_db
def test_unknown_and_malformed_ids_are_404(customer: Caller) -> None:
    for order_id in (uuid7(), "1", "x" * 300, "..%2f"):
        problem(customer.get(f"{PATH}{order_id}/"), 404)


@pytest.mark.django_db
def test_order_that_the_client_has_is_304(customer: Caller, stranger: Caller) -> None:
    order = make_order(user_id=customer.id)
    path = f"{PATH}{order.pk}/"
    tag = customer.get(path)["ETag"]

    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = customer.get(path, If_None_Match=sent)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    problem(stranger.get(path, If_None_Match="*"), 404)
    decoded(customer.post(f"{path}cancel/"))
    assert decoded(customer.get(path, If_None_Match=tag))["status"] == "cancelled"


@pytest.mark.django_db
def test_identity_headers_change_nothing(customer: Caller) -> None:
    order = make_order()
    pretended = {"X_User_Id": str(order.user_id), "X_Roles": "staff", "X_Forwarded_User": "staff"}

    problem(customer.get(f"{PATH}{order.pk}/", **pretended), 404)


@pytest.mark.django_db
def test_history_tells_each_state(customer: Caller) -> None:
    order = make_order(user_id=customer.id)
    customer.post(f"{PATH}{order.pk}/cancel/")

    rows = decoded(customer.get(f"{PATH}{order.pk}/history/"))["results"]

    assert [(row["from"], row["to"], row["actor"], row["by"]) for row in rows] == [
        (None, "pending", "customer", str(customer.id)),
        ("pending", "cancelled", "customer", str(customer.id)),
    ]
