"""Accounts as people use them: sessions on several devices, deactivation, deletion."""

import time

import pytest
from harness import PASSWORD, assert_problem, await_refusals, wait_until

SESSIONS = "/api/users/me/sessions/"
EVERYWHERE = ("/api/users/me/", "/api/orders/")
ADDRESS = {"name": "Ada", "line1": "12 Larkspur Row", "city": "London", "country": "GB"}


def await_end(shop, person, product):
    paths = (*EVERYWHERE, f"/api/products/{product['id']}/")
    await_refusals(shop, [person], paths, since=time.monotonic())


def log_in_refused(shop, person):
    body = {"email": person.email, "password": person.password}
    return assert_problem(shop.call("POST", "/api/auth/token/", json=body), 401)


def test_session_of_another_device_is_found_and_revoked(shop, product):
    laptop = shop.register()
    phone = shop.log_in(laptop.email, laptop.password)

    sessions = shop.call("GET", SESSIONS, laptop).json()["results"]
    assert [each["current"] for each in sessions] == [False, True]
    assert shop.call("DELETE", f"{SESSIONS}{sessions[0]['id']}/", laptop).status_code == 204

    await_end(shop, phone, product)
    assert_problem(
        shop.call("POST", "/api/auth/refresh/", json={"refresh_token": phone.refresh}), 401
    )
    assert shop.call("GET", "/api/orders/", laptop).status_code == 200


def test_log_out_everywhere_else_keeps_this_session(shop, product):
    here = shop.register()
    there = shop.log_in(here.email, here.password)

    body = {"except_current": True}
    assert shop.call("POST", f"{SESSIONS}revoke-all/", here, json=body).status_code == 204

    await_end(shop, there, product)
    assert shop.call("GET", "/api/orders/", here).status_code == 200


def test_deactivated_account_is_refused_everywhere_until_staff_reactivate_it(shop, product):
    person, staff = shop.register(), shop.staff()

    wrong = shop.call("POST", "/api/users/me/deactivate/", person, json={"password": "not this"})
    assert_problem(wrong, 403)
    closed = shop.call("POST", "/api/users/me/deactivate/", person, json={"password": PASSWORD})

    assert closed.status_code == 204
    await_end(shop, person, product)
    log_in_refused(shop, person)
    answer = shop.call("POST", f"/api/users/{person.id}/reactivate/", staff)
    assert answer.json()["active"] is True
    again = shop.log_in(person.email, person.password)
    log = shop.call("GET", "/api/users/me/security-events/", again).json()["results"]
    assert {"reactivated", "deactivated"} <= {each["kind"] for each in log}


def test_account_that_staff_deactivate_is_refused_everywhere(shop, product):
    person, staff = shop.register(), shop.staff()

    assert shop.call("POST", f"/api/users/{person.id}/deactivate/", staff).status_code == 200

    await_end(shop, person, product)


def test_deleted_account_is_gone_and_its_order_runs_to_its_end(shop, product):
    person, staff = shop.register(), shop.staff()
    shop.bought(person, (product["id"], 1))
    review = {"rating": 5, "title": "Ada was here", "comment": "At 12 Larkspur Row."}
    path = f"/api/products/{product['id']}/reviews/"
    review_id = wait_until(
        lambda: shop.call("POST", path, person, json=review).json().get("id"), what="a review"
    )
    assert shop.call("POST", "/api/users/me/addresses/", person, json=ADDRESS).status_code == 201
    exported = shop.call("GET", "/api/users/me/export/", person)
    assert exported.json()["addresses"][0]["line1"] == ADDRESS["line1"]
    assert "attachment" in exported.headers["content-disposition"]
    order_id = shop.place(person, (product["id"], 1)).json()["id"]

    deleted = shop.call("POST", "/api/users/me/delete/", person, json={"password": PASSWORD})

    assert deleted.status_code == 204
    await_end(shop, person, product)
    log_in_refused(shop, person)
    assert_problem(shop.place(person, (product["id"], 1)), 401)
    assert_problem(shop.call("GET", f"/api/users/{person.id}/", staff), 404)
    assert shop.settled(staff, order_id)["status"] == "confirmed"
    wait_until(
        lambda: shop.call("GET", f"/api/reviews/{review_id}/", staff).json()["comment"] == "",
        seconds=10,
        what="products forgets the text of the review",
    )
    assert shop.call("GET", f"/api/reviews/{review_id}/", staff).json()["rating"] == 5


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_account_of_somebody_else_is_not_for_customers(shop, customer, method):
    other = shop.register()

    assert_problem(shop.call(method, f"/api/users/{other.id}/", customer, json={}), 403)
    assert_problem(shop.call("GET", f"/api/users/{other.id}/security-events/", customer), 403)
