"""Reads through Redis, which may be away, frozen, flushed or full of rubbish."""

import os
import pickle
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache as django_cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from products.handlers import router
from products.models import Category, Product
from products.services.categories import create_category
from servicekit import env
from servicekit.operations import cache
from servicekit.operations.cache import Page
from servicekit.testing.client import Caller, decoded
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.faults import StallingProxy
from servicekit.testing.races import at_once
from servicekit.testing.waiting import wait_until
from tests.factories import make_product, placed

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/products/"
LIST = f"{PATH}?in_stock=true"
RUBBISH = [b"", b"0", b"-7", b"x", b"\x00" * 100, b"{}", pickle.dumps({"price": "0.01"}), b"g" * 33,
           b"x" * 100_000]  # fmt: skip
UseRedis = Callable[[str], None]


@pytest.fixture
def use_redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseRedis]:
    """Let the service use the Redis of this URL, with keys that no other test has."""

    def use(url: str) -> None:
        monkeypatch.setenv("REDIS_URL", url)
        settings.CACHES = {"default": env.cache(f"test-{uuid.uuid4().hex}")}
        cache.reset()

    yield use
    cache.reset()


@pytest.fixture
def redis(use_redis: UseRedis) -> Any:
    use_redis(os.environ["TEST_REDIS_URL"])
    return get_redis_connection()


@pytest.fixture
def proxy(use_redis: UseRedis) -> Iterator[StallingProxy]:
    """The same Redis, which can be frozen."""
    url = urlsplit(os.environ["TEST_REDIS_URL"])
    with StallingProxy((url.hostname or "", url.port or 6379)) as between:
        use_redis(url._replace(netloc=f":{url.password}@127.0.0.1:{between.port}").geturl())
        yield between


def keys(redis: Any) -> list[bytes]:
    found: list[bytes] = redis.keys(django_cache.make_key("*"))
    assert found
    return found


def path_of(product: Product) -> str:
    """A page of a product alone. Whole lists and products by themselves are not asked of Redis:
    test_hot_reads.py.
    """
    return f"{PATH}?slug={product.slug}"


def price(caller: Caller, product: Product) -> str:
    return str(decoded(caller.get(path_of(product)))["results"][0]["price"])


def queries(caller: Caller, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        decoded(caller.get(path))
    return len(captured)


def await_kept(caller: Caller, path: str) -> None:
    wait_until(lambda: queries(caller, path) == 0)


@pytest.mark.parametrize(
    "path", ["{}{}/related/", LIST, "{}?search=lan&in_stock=true", "/api/categories/"]
)
def test_hot_page_is_read_without_the_database(
    redis: Any, nobody: Caller, customer: Caller, path: str
) -> None:
    product = make_product()
    asked = path.format(PATH, product.pk)

    await_kept(nobody, asked)
    await_kept(customer, asked)

    first, second = nobody.get(asked), customer.get(asked)
    assert (first.content, first["ETag"]) == (second.content, second["ETag"])
    # Without it, the gateway keeps nothing.
    assert first["Content-Length"] == str(len(first.content))
    assert all(0 < redis.pttl(key) <= 1000 for key in keys(redis) if b"page:" in key)


def test_staff_get_no_kept_page(redis: Any, nobody: Caller, staff: Caller) -> None:
    product = make_product()
    await_kept(nobody, path_of(product))

    assert queries(staff, path_of(product)) > 0


@pytest.mark.parametrize("path", ["", "?page_size=1", "?min_price=1&max_price=9"])
def test_list_that_the_client_has_is_304(nobody: Caller, path: str) -> None:
    make_product()
    tag = nobody.get(f"{PATH}{path}")["ETag"]

    again = nobody.get(f"{PATH}{path}", If_None_Match=f"W/{tag}")

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    make_product(price=Decimal(2))
    if path != "?page_size=1":
        assert nobody.get(f"{PATH}{path}", If_None_Match=tag).status_code == 200


@pytest.mark.parametrize("nonsense", ["no tag", '"', "W/", "*,", '"a" "b"', "\x7f"])
def test_condition_that_is_none_is_ignored(nobody: Caller, nonsense: str) -> None:
    make_product()

    answer = nobody.get(PATH, If_None_Match=nonsense, If_Modified_Since="yesterday")

    assert answer.status_code == 200


def test_answers_say_who_may_keep_them(nobody: Caller, customer: Caller, staff: Caller) -> None:
    product = make_product()

    for path in (PATH, f"{PATH}{product.pk}/", f"{PATH}{product.pk}/reviews/", "/api/categories/"):
        assert nobody.get(path)["Cache-Control"] == "public, max-age=0, must-revalidate"
        for caller in (customer, staff):
            assert caller.get(path)["Cache-Control"] == "private, max-age=0, must-revalidate"
    assert "Cache-Control" not in nobody.get(f"{PATH}?page_size=0")


def test_edit_is_seen_by_everybody_at_once(
    redis: Any, nobody: Caller, customer: Caller, staff: Caller
) -> None:
    product = make_product()
    for number in range(1, 6):
        await_kept(nobody, path_of(product))

        decoded(staff.patch(f"{PATH}{product.pk}/", {"price": f"{number}.00"}))

        assert price(nobody, product) == price(customer, product) == f"{number}.00"
        assert decoded(nobody.get(LIST))["results"][0]["price"] == f"{number}.00"


def test_rename_of_a_category_is_seen_at_once(redis: Any, nobody: Caller, staff: Caller) -> None:
    category = create_category(slug="lamps", name="Lamps")
    product = make_product(category=category)
    for path in (LIST, path_of(product), "/api/categories/"):
        await_kept(nobody, path)

    decoded(staff.patch(f"/api/categories/{category.pk}/", {"name": "Lights"}))

    for path in (LIST, path_of(product), "/api/categories/"):
        body = nobody.get(path).content
        assert (b"Lights" in body, b"Lamps" in body) == (True, False)


def test_deleted_and_new_products_are_seen_at_once(
    redis: Any, nobody: Caller, staff: Caller
) -> None:
    product = make_product()
    await_kept(nobody, LIST)
    await_kept(nobody, path_of(product))

    assert staff.delete(f"{PATH}{product.pk}/").status_code == 204
    new = make_product()

    assert decoded(nobody.get(path_of(product)))["results"] == []
    assert [each["id"] for each in decoded(nobody.get(LIST))["results"]] == [str(new.pk)]


def test_change_whose_process_died_after_its_commit_is_seen_soon(
    redis: Any, nobody: Caller
) -> None:
    product = make_product()
    await_kept(nobody, path_of(product))

    Product.objects.filter(pk=product.pk).update(price=Decimal(7))

    wait_until(lambda: price(nobody, product) == "7.00")


def test_page_made_of_old_rows_is_not_found_after_the_change(redis: Any) -> None:
    create_category(slug="first", name="First")  # a generation, to begin with
    cache.page("x", lambda: Page(b"", '""'))

    def read_old_rows() -> Page:
        create_category(slug="second", name="Second")
        return Page(b"old", '"old"')

    assert cache.page("a page", read_old_rows).body == b"old"
    assert cache.page("a page", lambda: Page(b"new", '"new"')).body == b"new"


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda value: repr(value[:8]))
def test_rubbish_is_a_miss(redis: Any, nobody: Caller, rubbish: bytes) -> None:
    product, other = make_product(), make_product()
    for path in (LIST, path_of(product), path_of(other)):
        await_kept(nobody, path)

    for key in keys(redis):
        redis.set(key, rubbish)

    assert price(nobody, product) == "3.39"
    assert len(decoded(nobody.get(LIST))["results"]) == 2
    await_kept(nobody, LIST)


def test_page_under_another_key_or_cut_short_is_a_miss(redis: Any, nobody: Caller) -> None:
    products = [make_product(price=Decimal(number)) for number in range(1, 4)]
    for product in products:
        await_kept(nobody, path_of(product))

    pages = [key for key in keys(redis) if b"page:" in key and not key.endswith(b":maker")]
    values = [redis.get(key) or b"" for key in pages]
    for key, value in zip(pages, [*values[1:], values[0][:-1]], strict=True):
        redis.set(key, value)

    assert [price(nobody, product) for product in products] == ["1.00", "2.00", "3.00"]


def test_keys_of_another_kind_are_a_miss(redis: Any, nobody: Caller) -> None:
    product = make_product()
    await_kept(nobody, path_of(product))

    for key in keys(redis):
        redis.delete(key)
        redis.rpush(key, b"a list")

    assert price(nobody, product) == "3.39"
    await_kept(nobody, path_of(product))


def test_flushed_cache_fills_again(redis: Any, nobody: Caller) -> None:
    product = make_product()
    await_kept(nobody, LIST)

    for key in keys(redis):
        redis.delete(key)

    assert price(nobody, product) == "3.39"
    await_kept(nobody, LIST)


def test_frozen_cache_costs_no_answer(proxy: StallingProxy, nobody: Caller, staff: Caller) -> None:
    product = make_product()
    await_kept(nobody, path_of(product))

    proxy.stall()
    decoded(staff.patch(f"{PATH}{product.pk}/", {"price": "8.00"}))

    assert [price(nobody, product) for _ in range(20)] == ["8.00"] * 20
    assert "away" in cache.finding()
    proxy.flow()
    await_kept(nobody, path_of(product))
    assert (price(nobody, product), cache.finding()) == ("8.00", "")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("wrong", ["stopped", "password", "name"])
def test_cache_that_cannot_be_had_costs_no_answer(
    use_redis: UseRedis, nobody: Caller, staff: Caller, wrong: str
) -> None:
    url = urlsplit(os.environ["TEST_REDIS_URL"])
    places = {
        "stopped": f":x@127.0.0.1:{closed_port()}",
        "password": f":wrong@{url.hostname}:{url.port}",
        "name": ":x@redis.invalid:6379",
    }
    use_redis(url._replace(netloc=places[wrong]).geturl())
    product = make_product()

    decoded(staff.patch(f"{PATH}{product.pk}/", {"price": "8.00"}))

    assert {price(nobody, product) for _ in range(5)} == {"8.00"}
    assert len(decoded(nobody.get(LIST))["results"]) == 1
    ready = decoded(nobody.get("/readyz"))
    assert ready["status"] == "degraded"
    assert ready["checks"]["cache"].startswith("away, pages are made for each reader (")


def test_readers_of_a_page_that_is_missing_wait_for_the_one_who_makes_it(redis: Any) -> None:
    create_category(slug="first", name="First")
    made: list[int] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def make() -> Page:
        made.append(1)
        has_begun.set()
        may_end.wait(timeout=10)
        return Page(b"page", '"page"')

    def come_later() -> Page:
        has_begun.wait(timeout=10)
        may_end.set()
        return cache.page("a page", make)

    found = at_once(lambda: cache.page("a page", make), *[come_later] * 7)

    assert {each.body for each in found} == {b"page"}
    assert len(made) < 8


def test_page_that_cannot_be_made_keeps_nobody_waiting(redis: Any, nobody: Caller) -> None:
    create_category(slug="first", name="First")
    unknown = f"{PATH}{uuid.uuid4()}/related/"

    assert {nobody.get(unknown).status_code for _ in range(5)} == {404}
    assert [key for key in keys(redis) if b"page:" in key] == []


def test_purchase_takes_no_stock_and_no_price_from_the_cache(redis: Any, nobody: Caller) -> None:
    product = make_product(stock=5)
    await_kept(nobody, path_of(product))
    Product.objects.filter(pk=product.pk).update(stock=0)

    deliver(router, "products.orders", [placed({product.pk: 1})])

    assert outbox_events("products.stock_reserved.v1") == []
    assert len(outbox_events("products.stock_rejected.v1")) == 1


def test_purchase_asks_no_cache(proxy: StallingProxy) -> None:
    product = make_product(stock=5)
    proxy.stall()
    cache.reset()

    deliver(router, "products.orders", [placed({product.pk: 1})])

    assert len(outbox_events("products.stock_reserved.v1")) == 1
    assert cache._guard.failure == ""  # whoever had asked would have noticed


def test_category_tree_of_a_page_is_right_after_a_move(
    redis: Any, nobody: Caller, staff: Caller
) -> None:
    parents = [create_category(slug=f"root-{number}", name=f"Root {number}") for number in (1, 2)]
    child = create_category(slug="child", name="Child", parent=parents[0])
    make_product(category=child)
    for number in (1, 2):
        await_kept(nobody, f"{PATH}?category=root-{number}")

    decoded(staff.patch(f"/api/categories/{child.pk}/", {"parent": "root-2"}))

    found = [decoded(nobody.get(f"{PATH}?category=root-{number}"))["results"] for number in (1, 2)]
    assert [len(each) for each in found] == [0, 1]
    assert Category.objects.count() == 3
