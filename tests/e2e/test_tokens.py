"""Forged, wrong and mangled tokens: 401 with a challenge on every route, open routes as well."""

import pytest
from harness import assert_problem
from hostile import wrong_tokens


def test_every_wrong_token_is_401_everywhere(shop, customer, product):
    (jwk, *_) = shop.call("GET", "/.well-known/jwks.json").json()["keys"]

    for name, value in wrong_tokens(customer.access, jwk).items():
        for path in ("/api/orders/", "/api/users/me/", f"/api/products/{product['id']}/"):
            answer = shop.call("GET", path, headers={"Authorization": f"Bearer {value}"})
            # Headers over the limit never reach the check.
            expected = 431 if name == "9 KB" and answer.status_code == 431 else 401
            assert answer.status_code == expected, (
                f"{name} at {path}: {answer.status_code} {answer.text}"
            )
            assert_problem(answer, expected)
    assert shop.call("GET", "/api/users/me/", customer).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer\t{}"])
def test_other_schemes_are_401(shop, customer, scheme):
    headers = {"Authorization": scheme.format(customer.access)}

    assert_problem(shop.call("GET", "/api/users/me/", headers=headers), 401)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_scheme_in_any_case_is_accepted(shop, customer, scheme):
    headers = {"Authorization": f"{scheme} {customer.access}"}

    assert shop.call("GET", "/api/users/me/", headers=headers).status_code == 200


def test_token_elsewhere_than_in_the_header_is_no_token(shop, customer):
    cookies = {"Cookie": f"access_token={customer.access}; Authorization=Bearer {customer.access}"}

    assert_problem(shop.call("GET", "/api/orders/", headers=cookies), 401)
    assert_problem(shop.call("GET", f"/api/orders/?access_token={customer.access}"), 401)
    assert_problem(
        shop.call("POST", "/api/auth/refresh/", json={"refresh_token": customer.access}), 400
    )


def test_refresh_token_is_no_access_token(shop, customer):
    headers = {"Authorization": f"Bearer {customer.refresh}"}

    assert_problem(shop.call("GET", "/api/users/me/", headers=headers), 401)


def test_two_authorization_headers_are_refused(shop, customer):
    headers = [("Authorization", customer.bearer), ("Authorization", customer.bearer)]
    answer = shop.http.request("GET", "/api/users/me/", headers=headers)

    assert answer.status_code in (400, 401)
    assert_problem(answer, answer.status_code)
