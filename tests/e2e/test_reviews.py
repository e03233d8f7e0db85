"""Reviews through the gateway: products learns from orders who bought what."""

from harness import assert_problem, wait_until


def test_buyer_reviews_what_was_confirmed(shop, staff, customer, stranger):
    product = shop.add_product(staff)
    path = f"/api/products/{product['id']}/reviews/"
    review = {"rating": 4, "title": "Bright", "comment": "It lights the whole garden."}
    early = shop.call("POST", path, customer, json=review)

    shop.bought(customer, (product["id"], 1))

    assert assert_problem(early, 403)["code"] == "not_a_buyer"
    made = wait_until(
        lambda: (
            answer.json()
            if (answer := shop.call("POST", path, customer, json=review)).status_code == 201
            else None
        ),
        what="products knows the buyer",
    )
    assert shop.call("GET", path).json()["results"] == [made]
    assert_problem(shop.call("POST", path, customer, json=review), 409)
    assert_problem(shop.call("POST", path, stranger, json=review), 403)
    assert_problem(shop.call("PATCH", f"/api/reviews/{made['id']}/", stranger, json=review), 404)
    read = shop.call("GET", f"/api/products/{product['id']}/").json()
    assert (read["rating_average"], read["rating_count"]) == ("4.00", 1)


def test_hidden_review_is_gone_for_others(shop, staff, customer):
    product = shop.add_product(staff)
    path = f"/api/products/{product['id']}/reviews/"
    shop.bought(customer, (product["id"], 1))
    made = wait_until(
        lambda: (
            answer.json()
            if (answer := shop.call("POST", path, customer, json={"rating": 1})).status_code == 201
            else None
        ),
        what="products knows the buyer",
    )

    hidden = shop.call("POST", f"/api/reviews/{made['id']}/hide/", staff)

    assert hidden.json()["is_hidden"] is True
    assert shop.call("GET", path).json()["results"] == []
    assert len(shop.call("GET", path, customer).json()["results"]) == 1
    assert_problem(shop.call("POST", f"/api/reviews/{made['id']}/restore/", customer), 403)
