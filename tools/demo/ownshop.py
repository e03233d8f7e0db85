"""The small shop that `make demo` makes without a file: the same each time, so that a second run
finds it.
"""

from decimal import Decimal

from demo.plan import Category, Plan, PlannedCustomer, PlannedOrder, PlannedProduct, PlannedReturn

CATEGORIES = [
    Category("kitchen", "Kitchen"),
    Category("reading", "Reading and writing"),
    Category("garden", "Garden"),
    Category("light", "Light and warmth"),
]
SHELVES: dict[str, list[tuple[str, str, int]]] = {
    "kitchen": [
        ("Enamel kettle, two litres", "38.50", 60),
        ("Cast-iron pan, 26 cm", "54.00", 40),
        ("Linen tea towel, striped", "9.80", 200),
        ("Olive wood spoon", "7.25", 150),
        ("Stoneware mug, sand", "14.90", 120),
        ("Salt cellar with lid", "18.00", 35),
    ],
    "reading": [
        ("Notebook, dotted, A5", "12.50", 180),
        ("Fountain pen, fine nib", "29.00", 45),
        ("Bottled ink, midnight blue", "11.40", 80),
        ("Brass bookmark", "6.90", 140),
        ("Reading lamp, clamp", "47.00", 25),
        ("Letter set, twenty sheets", "16.20", 70),
    ],
    "garden": [
        ("Hand trowel, ash handle", "17.50", 60),
        ("Secateurs, left-handed", "33.00", 12),
        ("Watering can, five litres", "42.00", 30),
        ("Seed tin, six compartments", "21.60", 50),
        ("Jute twine, 100 m", "5.40", 220),
        ("Bird feeder, copper roof", "36.75", 1),
    ],
    "light": [
        ("Beeswax candle, pair", "8.90", 160),
        ("Storm lantern, black", "31.00", 40),
        ("Wool blanket, herringbone", "89.00", 18),
        ("Hot-water bottle, knitted cover", "24.30", 65),
        ("Matches in a jar", "7.80", 130),
        ("Tea-light holder, set of four", "15.60", 90),
    ],
}
PEOPLE = ["Ada Marlow", "Ben Okafor", "Chloe Winter", "Dmitri Sand", "Elena Park"]
ORDER_COUNT = 20


def own_shop_plan() -> Plan:
    """Return 24 products, five customers and twenty orders, one of them more than there is, one
    taken back.
    """
    plan = Plan(categories=CATEGORIES)
    for category, shelf in SHELVES.items():
        plan.products += [
            PlannedProduct(name, _slug(name), name, Decimal(price), stock, category)
            for name, price, stock in shelf
        ]
    plan.customers = [PlannedCustomer(name, f"{_slug(name)}@demo.example", name) for name in PEOPLE]
    plan.orders = [_order(number, plan.products) for number in range(1, ORDER_COUNT + 1)]
    taken_back = plan.orders[4]
    plan.returns = [PlannedReturn("demo-return-05", taken_back.units, 0, taken_back.key)]
    plan.invoices_read = len(plan.orders) + len(plan.returns)
    return plan


def _order(number: int, products: list[PlannedProduct]) -> PlannedOrder:
    """The n-th order: one to three products, stepping through the shelves; the last wants two of
    the only bird feeder.
    """
    chosen = {
        (number * step) % len(products): 1 + (number + step) % 3
        for step in (1, 5, 7)[: 1 + number % 3]
    }
    units = tuple((products[index].code, count) for index, count in chosen.items())
    if number == ORDER_COUNT:
        units = (("Bird feeder, copper roof", 2),)
    else:
        units = tuple(unit for unit in units if unit[0] != "Bird feeder, copper roof") or (
            (products[0].code, 1),
        )
    key = f"demo-order-{number:02}"
    return PlannedOrder(key, key, PEOPLE[number % len(PEOPLE)], units, 0)


def _slug(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
