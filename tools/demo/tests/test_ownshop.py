"""The shop's own demo: the same each time, and within itself consistent."""

from demo.ownshop import own_shop_plan


def test_own_shop_is_the_same_each_time():
    assert own_shop_plan() == own_shop_plan()


def test_own_shop_orders_only_what_is_on_its_shelves():
    plan = own_shop_plan()
    stock = {product.code: product.stock for product in plan.products}

    wanted = {}
    for order in plan.orders[:-1]:
        for code, count in order.units:
            wanted[code] = wanted.get(code, 0) + count

    assert len(plan.products) == len({each.slug for each in plan.products}) == 24
    assert all(wanted[code] <= stock[code] for code in wanted)
    assert plan.orders[-1].units[0][1] > stock[plan.orders[-1].units[0][0]]
