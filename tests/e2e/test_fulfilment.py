"""What follows a purchase: parcels, delivery, units that come back, and the mails about it."""

from harness import assert_problem, wait_until


def test_parcels_go_out_and_units_come_back(shop, staff, mails):
    product = shop.add_product(staff, stock=5)
    person = shop.register()
    order = shop.bought(person, (product["id"], 3))
    path = f"/api/orders/{order['id']}/"
    one = [{"product": product["id"], "quantity": 1}]

    part = shop.call("POST", f"{path}ship/", staff, json={"carrier": "DHL", "lines": one})
    assert part.json()["status"] == "confirmed", part.text
    assert_problem(shop.call("POST", f"{path}cancel/", person), 409)
    assert shop.call("POST", f"{path}ship/", staff, json={}).json()["status"] == "shipped"
    assert shop.call("POST", f"{path}deliver/", staff).json()["status"] == "delivered"
    back = {"reason": "too small", "lines": one}
    for _ in range(2):
        returned = shop.call(
            "POST", f"{path}return/", staff, json=back, headers={"Idempotency-Key": order["id"]}
        )
        assert returned.status_code == 200, returned.text

    wait_until(lambda: shop.stock_of(product["id"]) == 3, what="the returned unit")
    parcels = shop.call("GET", f"{path}shipments/", person).json()["results"]
    assert [each["lines"][0]["quantity"] for each in parcels] == [1, 2]
    assert_problem(shop.call("POST", f"{path}ship/", person, json={}), 403)
    number = order["number"]
    for subject, count in (
        (f"Your order {number} is confirmed", 1),
        (f"Your order {number} is on its way", 2),
    ):
        mails.awaited(person.email, subject, count=count)
        assert mails.subjects(person.email).count(subject) == count
