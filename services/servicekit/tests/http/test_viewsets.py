"""Viewsets on our router: the addresses, methods and parameters that they answer, and no others."""

from typing import Any

import pytest
from django.urls import get_resolver
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]


@pytest.fixture
def nobody() -> Caller:
    return Caller()


def add_event(**overrides: Any) -> str:
    row = {
        "type": "test",
        "subject": "one",
        "sequence": 1,
        "data": b"",
        "created_at": timezone.now(),
    }
    return str(OutboxEvent.objects.create(id=uuid7(), **row | overrides).id)


def test_one_row_is_found_by_its_id_in_either_case(nobody: Caller) -> None:
    event_id = add_event()
    add_event()

    assert decoded(nobody.get(f"/events/{event_id}/"))["id"] == event_id
    assert decoded(nobody.get(f"/events/{event_id.upper()}/"))["id"] == event_id


@pytest.mark.parametrize(
    "path", ["/events/{other}/", "/events/{hex}/", "/events/7/", "/events/x.json/"]
)
def test_what_is_not_there_is_404(nobody: Caller, path: str) -> None:
    event_id = add_event()

    problem(nobody.get(path.format(other=uuid7(), hex=event_id.replace("-", ""))), 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/events", "/events.json", "/events/short"])
def test_router_adds_no_address_of_its_own(nobody: Caller, path: str) -> None:
    problem(nobody.get(path), 404, "not_found")


def test_route_names_no_id() -> None:
    """It labels the measure of the request."""
    assert get_resolver().resolve(f"/events/{uuid7()}/").route == "events/<id:id>/"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/events/", "GET, HEAD, OPTIONS"),
        ("/events/{}/", "GET, HEAD, OPTIONS"),
        ("/events/{}/touch/", "POST, OPTIONS"),
    ],
)
def test_other_method_is_405_with_those_that_are_allowed(
    nobody: Caller, path: str, allowed: str
) -> None:
    for method in ("PUT", "DELETE", "PROPFIND"):
        answer = nobody.call(method, path.format(add_event()))

        problem(answer, 405, "method_not_allowed")
        assert answer["Allow"] == allowed


@pytest.mark.parametrize("path", ["/events/", "/events/{}/"])
def test_head_is_answered_like_get(nobody: Caller, path: str) -> None:
    path = path.format(add_event())

    head = nobody.call("HEAD", path)

    assert (head.status_code, head.content) == (200, b"")
    assert nobody.call("HEAD", f"{path}?unknown=1").status_code == 400
    assert nobody.call("HEAD", "/events/?page_size=1").status_code == 200


@pytest.mark.parametrize("path", ["/events/", "/events/{}/", "/events/{}/touch/", "/open/"])
def test_options_say_what_a_view_is_and_no_more(nobody: Caller, path: str) -> None:
    body = decoded(nobody.call("OPTIONS", path.format(add_event())))

    assert body.keys() == {"name", "description", "renders", "parses"}
    assert (body["renders"], body["parses"]) == (["application/json"], ["application/json"])


def test_parameters_of_a_list_are_for_lists_alone(nobody: Caller) -> None:
    event_id = add_event()

    for path in (f"/events/{event_id}/?page_size=1", f"/events/{event_id}/?type=test"):
        problem(nobody.get(path), 400, "invalid")
    problem(nobody.post(f"/events/{event_id}/touch/?verbose=1"), 400, "invalid")
    assert decoded(nobody.get(f"/events/{event_id}/?verbose=1"))["id"] == event_id


def test_parameter_of_one_action_is_unknown_to_the_others(nobody: Caller) -> None:
    problem(nobody.get("/events/?verbose=1"), 400, "invalid")


def test_action_finds_its_object(nobody: Caller) -> None:
    event_id = add_event()

    assert decoded(nobody.post(f"/events/{event_id}/touch/")) == {"touched": event_id}
    problem(nobody.post(f"/events/{uuid7()}/touch/"), 404, "not_found")
