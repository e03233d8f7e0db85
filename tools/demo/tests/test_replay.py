"""A replay against a server that answers as the shop does: each step once, whatever happens on the
way.
"""

import asyncio
import json

import pytest
from http_server import HALF_AN_ANSWER, NO_ANSWER, Reply
from shop import STAFF, Shop, problem

from demo import replay as replay_module
from demo.catalogue import all_pages
from demo.lines import parse_retail
from demo.replay import Replay
from demo.report import Outcome
from demo.retail import plan_replay, slug_of
from shopper import api as api_module
from shopper.accounts import Account, Session
from shopper.api import Api, Refused, ShopAway
from shopper.clientlog import ClientLog, orders_told

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
WEEK = """\
1,10001,CUP,6,2010-12-01,2.55,17850,UK
1,10002,BOWL,2,2010-12-01,4.00,17850,UK
2,10001,CUP,1,2010-12-02,2.55,,UK
3,10003,LAMP,3,2010-12-03,9.00,13047,UK
C4,10003,LAMP,-3,2010-12-04,9.00,13047,UK
C5,10001,CUP,-2,2010-12-05,2.55,17850,UK
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(api_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(api_module, "LONGEST_PAUSE_SECONDS", 0.002)


@pytest.fixture
def shop():
    shop = Shop()
    with shop.server.running():
        yield shop


@pytest.fixture
def log(tmp_path):
    return tmp_path / "client-log.jsonl"


def replayed(shop, log, rows=WEEK, *, stock=None, parallel=3, patience=30):
    """Replay the rows; return the outcome."""
    plan = plan_replay(parse_retail((HEADER + rows).encode()), stock=stock)
    outcome = Outcome(plan)
    notes = ClientLog(log)

    async def run():
        async with Api(shop.server.url, patience_seconds=patience) as api:
            staff = Session(api, Account(*STAFF))
            await Replay(api, staff, outcome, notes, parallel=parallel, settle=30).run()

    try:
        asyncio.run(run())
    finally:
        notes.close()
    return outcome


def notes_of(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_plan_is_carried_out_whole(shop, log):
    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert outcome.new == {
        "categories": 1, "products": 3, "customers": 3, "orders": 3, "cancelled": 1, "restocked": 1
    }  # fmt: skip
    assert shop.statuses() == {"confirmed": 2, "cancelled": 1}
    assert shop.restocks == [(slug_of("10001"), 2, "Return C5")]
    assert {each["name"]: each["price"] for each in shop.products.values()} == {
        "CUP": "2.55",
        "BOWL": "4.00",
        "LAMP": "9.00",
    }


def test_order_has_its_invoice_as_key_and_its_lines_by_code(shop, log):
    rows = WEEK.splitlines(keepends=True)
    replayed(shop, log, rows[1] + rows[0])

    (placed,) = [each for each in shop.server.asked("/api/orders/") if each.method == "POST"]
    ids = [shop.by_slug(slug_of(code))["id"] for code in ("10001", "10002")]
    assert placed.headers["idempotency-key"] == "1"
    assert placed.body == {
        "lines": [{"product": ids[0], "quantity": 6}, {"product": ids[1], "quantity": 2}]
    }


def test_client_log_has_every_accepted_write(shop, log):
    replayed(shop, log)

    kinds = [each["kind"] for each in notes_of(log)]
    assert sorted(kinds) == ["cancel", "order", "order", "order", "stock"]
    assert set(orders_told(log).values()) == set(shop.orders)
    assert next(each["id"] for each in notes_of(log) if each["kind"] == "cancel") in shop.orders


def test_second_run_changes_nothing(shop, log):
    replayed(shop, log)
    before = json.dumps([shop.users, shop.products, shop.orders, shop.restocks, shop.categories])

    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert not any(outcome.new.values())
    assert (
        json.dumps([shop.users, shop.products, shop.orders, shop.restocks, shop.categories])
        == before
    )


@pytest.mark.parametrize(
    "fault",
    [Reply(429, headers={"Retry-After": "0"}), Reply(502), Reply(503), NO_ANSWER, HALF_AN_ANSWER],
    ids=["429", "502", "503", "cut", "torn"],
)
@pytest.mark.parametrize(
    "path", ["/api/products/", "/api/users/accounts/", "/api/orders/", "/api/auth/token/"]
)
def test_fault_that_passes_leaves_no_trace(shop, log, path, fault):
    shop.faults["POST", path] = [fault]

    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert sum(outcome.repeats.values()) == 1
    assert len(shop.orders) == len(shop.products) == 3


def test_order_whose_answer_got_lost_is_placed_once(shop, log):
    answer, lost = shop.post_orders, []

    def place_and_cut(request, rest, query):
        reply = answer(request, rest, query)
        if not lost:
            lost.append(reply.body["id"])
            return NO_ANSWER
        return reply

    shop.post_orders = place_and_cut
    outcome = replayed(shop, log)

    assert (len(shop.orders), outcome.disagreements()) == (3, [])
    assert lost[0] in orders_told(log).values()
    assert outcome.new["orders"] == 2  # the third was a replay to this client


def test_product_that_an_earlier_run_made_is_used_as_it_is(shop, log):
    create = shop.post_products

    def create_and_say_it_is_there(request, rest, query):
        made_now = create(request, rest, query)
        return problem(409, "slug_taken") if made_now.status == 201 and not rest else made_now

    shop.post_products = create_and_say_it_is_there
    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert outcome.new["products"] == 0
    assert len(shop.orders) == 3


def test_product_that_is_refused_is_told_with_its_orders_and_returns(shop, log):
    refusal = problem(400, "invalid", "the price is too high")
    create = shop.post_products
    shop.post_products = lambda request, *rest: (
        refusal if (request.body or {}).get("name") == "CUP" else create(request, *rest)
    )

    found = replayed(shop, log).disagreements()

    assert found[0] == "product 10001: 400 the price is too high"
    assert sorted(found[1:]) == [
        "order 1 is refused because product 10001 was refused",
        "order 2 is refused because product 10001 was refused",
        "return C5: because product 10001 was refused",
    ]


def test_product_that_may_not_be_made_at_all_ends_the_run(shop, log):
    shop.faults["POST", "/api/products/"] = [problem(403, "forbidden", "staff only")] * 9

    with pytest.raises(Refused, match="403 forbidden staff only"):
        replayed(shop, log)
    assert not log.exists()


def test_list_that_may_not_be_seen_ends_the_run(shop, log):
    shop.faults["GET", "/api/users/"] = [problem(403, "forbidden", "staff only")]

    with pytest.raises(Refused, match=r"GET /api/users/\?page_size=100: 403"):
        replayed(shop, log)


def test_run_that_was_broken_off_is_finished_by_the_next(shop, log):
    shop.faults["POST", "/api/orders/"] = [Reply(503)] * 1000

    with pytest.raises(ShopAway):
        replayed(shop, log, patience=0.05)
    assert shop.orders == {}
    assert len(shop.products) == 3

    shop.faults.clear()
    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert (outcome.new["products"], outcome.new["orders"]) == (0, 3)


def test_new_product_that_orders_does_not_know_yet_is_waited_for(shop, log, monkeypatch):
    monkeypatch.setattr(replay_module.asyncio, "sleep", _no_sleep(asyncio.sleep))
    unknown = problem(409, "product_unavailable", errors=[{"pointer": "/lines/0/product"}])
    shop.faults["POST", "/api/orders/"] = [unknown, unknown]

    outcome = replayed(shop, log)

    assert outcome.disagreements() == []
    assert len(shop.orders) == 3


def test_new_product_that_orders_never_hears_of_is_a_refusal(shop, log, monkeypatch):
    monkeypatch.setattr(replay_module, "CATALOGUE_SECONDS", -1)
    shop.faults["POST", "/api/orders/"] = [problem(409, "product_unavailable", "not known")] * 3

    outcome = replayed(shop, log)

    assert outcome.by_status == {"refused": 3}
    assert "order 1 is refused 409 product_unavailable: not known" in outcome.disagreements()


def test_product_that_the_staff_switched_off_is_told_and_no_disagreement(shop, log):
    replayed(shop, log)
    shop.by_slug(slug_of("10002"))["active"] = False
    log.unlink()

    outcome = replayed(shop, log, WEEK.replace("1,1000", "9,1000"))

    assert [(each.what, each.reason) for each in outcome.unavailable()] == [
        ("9", "product 10002 is switched off")
    ]
    assert outcome.disagreements() == []


def test_product_that_is_deleted_in_the_middle_is_told(shop, log):
    place = shop.place

    def delete_and_place(request):
        for product in [each for each in shop.products.values() if each["name"] == "LAMP"]:
            del shop.products[product["id"]]
        return place(request)

    shop.place = delete_and_place
    outcome = replayed(shop, log)

    assert [each.reason for each in outcome.unavailable()] == ["product 10003 is deleted"]


def test_order_that_the_shop_refuses_is_a_disagreement(shop, log):
    shop.faults["POST", "/api/orders/"] = [problem(422, "too_many_units", "at most 5")]

    (found,) = replayed(shop, log, WEEK.splitlines()[0]).disagreements()[1:]

    assert found == "order 1 is refused 422 too_many_units: at most 5"


def test_order_that_cannot_be_seen_again_is_lost(shop, log):
    place = shop.place

    def place_and_hide(request):
        reply = place(request)
        shop.faults["GET", f"/api/orders/{reply.body['id']}/"] = [problem(404, "x", "is gone")]
        return reply

    shop.place = place_and_hide

    assert "order 2 is lost 404 is gone" in replayed(shop, log).disagreements()


def test_return_of_an_order_that_was_rejected_is_not_sold(shop, log):
    shop.outcomes["3"] = "rejected"

    outcome = replayed(shop, log)

    assert outcome.by_return == {"not sold": 1, "restocked": 1}
    assert next(each.reason for each in outcome.returns if each.invoice == "C4") == (
        "its order is rejected"
    )
    assert outcome.disagreements() == []


def test_return_that_the_shop_refuses_is_a_disagreement(shop, log):
    restock = shop.restock
    shop.restock = lambda product, change: (
        problem(409, "negative", "no")
        if change["reason"] == "Return C5"
        else restock(product, change)
    )

    (found,) = replayed(shop, log).disagreements()

    assert found.startswith("return C5: POST /api/products/")
    assert found.endswith("409 negative no")


def test_next_file_gets_the_units_that_the_stock_lacks(shop, log):
    replayed(shop, log)
    lamp = shop.by_slug(slug_of("10003"))
    lamp["stock"] = 4

    outcome = replayed(shop, log, "8,10003,LAMP,10,2010-12-09,9.00,13047,UK\n")

    assert (lamp["stock"], outcome.new["units added"]) == (10, 6)
    assert outcome.disagreements() == []


def test_stock_that_was_asked_for_is_left_alone(shop, log):
    replayed(shop, log, stock=5)
    assert {each["stock"] for each in shop.products.values() if each["name"] != "CUP"} == {5}

    outcome = replayed(shop, log, "8,10003,LAMP,10,2010-12-09,9.00,13047,UK\n", stock=5)

    assert outcome.new["units added"] == 0


def test_units_that_the_shop_refuses_are_a_disagreement(shop, log):
    replayed(shop, log)
    lamp = shop.by_slug(slug_of("10003"))
    lamp["stock"] = 0
    shop.faults["POST", f"/api/products/{lamp['id']}/stock/"] = [
        problem(400, "invalid", "too many")
    ]

    found = replayed(shop, log, "8,10003,LAMP,10,2010-12-09,9.00,13047,UK\n").disagreements()

    assert found == [f"units of product {lamp['id']}: 400 too many"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_all_pages_of_a_list_are_read_in_their_order(shop, count):
    shop.categories = [{"slug": str(number), "name": "x"} for number in range(count)]

    async def run():
        async with Api(shop.server.url) as api:
            return await all_pages(Session(api, Account(*STAFF)), "/api/categories/?active=all")

    assert [each["slug"] for each in asyncio.run(run())] == [str(number) for number in range(count)]
    asked = shop.server.asked("/api/categories/")
    assert len(asked) == max(1, -(-count // 2))
    assert all("active=all" in each.path and "page_size=100" in each.path for each in asked)


def _no_sleep(sleep):
    return lambda seconds: sleep(0)
