"""Bulk changes of prices, switching on and off, and their undoing."""

import signal
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from products import tasks
from products.errors import AlreadyUndone, NotUndoable, OperationFinished, OperationUnfinished
from products.handlers import router
from products.models import (
    BulkChange,
    BulkError,
    BulkOperation,
    Category,
    Product,
    Reservation,
    StockAlert,
)
from products.services.attributes import create_attribute
from products.services.bulk import batches, running
from products.services.bulk.decisions import change_price
from products.services.bulk.operations import (
    cancel_operation,
    start_operation,
    undo_operation,
)
from products.services.bulk.outcomes import LeftAlone
from products.services.categories import create_category, edit_category
from products.services.product_states import state_of
from products.services.products import delete_product, edit_product
from servicekit.messaging.outbox import publish_many
from servicekit.models import OutboxEvent
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.processes import running_process
from servicekit.testing.races import at_once
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until
from tests.bulk import change, finish, make_products, prices, run, send_events
from tests.factories import make_product, placed

CHANGED = "products.product_changed.v1"


def codes(operation: BulkOperation) -> list[str]:
    rows = BulkError.objects.filter(operation=operation).order_by("id")
    return list(rows.values_list("code", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "before", "after"),
    [
        ({"percent": "5.00"}, "0.50", "0.53"),
        ({"percent": "5"}, "3.39", "3.56"),
        ({"percent": "-50"}, "0.01", "0.01"),
        ({"percent": "0.01"}, "49.99", "49.99"),
        ({"percent": "12.5"}, "0.04", "0.05"),
        ({"percent": "5"}, "0.00", "0.00"),
        ({"amount": "0.50"}, "3.39", "3.89"),
        ({"amount": "-3.38"}, "3.39", "0.01"),
        ({"amount": "0.50"}, "0.00", "0.00"),
    ],
)
def test_price_change_rounds_half_up_and_leaves_gifts(
    parameters: dict[str, str], before: str, after: str
) -> None:
    make_product(price=Decimal(before))

    operation = change(**parameters)

    assert prices() == [after]
    assert (operation.state, operation.done, operation.failed) == ("done", 1, 0)
    assert operation.changed == (before != after)


@given(
    price=st.decimals("0.01", "9999999999.99", places=2),
    percent=st.decimals("-99.99", "1000", places=2),
)
@settings(max_examples=300, deadline=None)
def test_percentage_is_exact_before_it_is_rounded(price: Decimal, percent: Decimal) -> None:
    product = Product(price=price)
    exact = (price * 100 + price * percent) / 100
    expected = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)

    try:
        change_price({"percent": str(percent)})(product)
    except LeftAlone:
        assert not Decimal("0.01") <= expected <= Decimal("9999999999.99")
        assert product.price == price
    else:
        assert product.price == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "parameters", "code"),
    [
        ({"price": "3.39"}, {"amount": "-3.39"}, "price_out_of_bounds"),
        ({"price": "3.39"}, {"amount": "-9"}, "price_out_of_bounds"),
        ({"price": "0.01"}, {"percent": "-99"}, "price_out_of_bounds"),
        ({"price": "9999999999.99"}, {"percent": "1"}, "price_out_of_bounds"),
        ({"price": "3.39", "compare_at_price": "3.56"}, {"percent": "5"}, "not_above_price"),
    ],
)
def test_price_that_may_not_be_is_reported_and_left(
    fields: dict[str, str], parameters: dict[str, str], code: str
) -> None:
    product = make_product(**{name: Decimal(text) for name, text in fields.items()})
    send_events()

    operation = change(**parameters)

    product.refresh_from_db()
    assert (str(product.price), product.version) == (fields["price"], 1)
    assert codes(operation) == [code]
    assert (operation.done, operation.changed, operation.failed) == (1, 0, 1)
    assert not OutboxEvent.objects.filter(sent_at=None).exists()


@pytest.mark.django_db
def test_changed_product_has_a_new_version_and_an_event_of_its_whole_state() -> None:
    category = create_category(slug="lanterns", name="Lanterns")
    product = make_product(category=category, price=Decimal("2.00"), stock=3)
    before = product.updated_at

    change(percent="10.00")

    product.refresh_from_db()
    event = outbox_events(CHANGED)[-1]
    assert (str(product.price), product.version, product.stock) == ("2.20", 2, 3)
    assert product.updated_at > before
    assert (event["sequence"], event["data"]["price"]) == (2, "2.20")
    assert event["data"]["category"]["name"] == "Lanterns"


@pytest.mark.django_db
@pytest.mark.parametrize("is_in_category", [True, False])
def test_event_is_that_of_an_edit(is_in_category: bool) -> None:
    """Bulk operations write theirs by SQL."""
    create_attribute(key="height", type="number", name="Height")
    create_attribute(key="colour", type="text", name="Colour")
    create_attribute(key="is_new", type="boolean", name="New")
    product = make_product(
        price=Decimal("2.00"),
        compare_at_price=Decimal("9.50") if is_in_category else None,
        category=create_category(slug="l", name='L "\\ü') if is_in_category else None,
        sku="S-1",
        description='Two\nlines, "quoted" \\ \u2028 \U0001f3ee',
        translations={"de": {"name": "Grün"}},
        attributes={"height": 12.5, "colour": "réd", "is_new": True},
    )

    change(amount="1.00", filter={"currency": "GBP"})
    edit_product(product_id=product.pk, changes={"name": "Other"})

    _made, changed, edited = outbox_events(CHANGED)
    assert {**changed["data"], "version": 3, "name": "Other"} == edited["data"]
    assert (changed["subject"], changed["sequence"]) == (str(product.pk), 2)
    assert changed["data"]["price"] == "3.00"
    assert list(changed["data"]) == list(edited["data"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filters", "touched"),
    [
        ({}, "abcd"),
        ({"category": "lamps"}, "ab"),
        ({"category": "lanterns"}, "b"),
        ({"min_price": "2.00"}, "bcd"),
        ({"min_price": "2.00", "max_price": "3.00"}, "bc"),
        ({"in_stock": True}, "ac"),
        ({"in_stock": False}, "bd"),
        ({"active": False}, "d"),
        ({"name_contains": "OuR b"}, "b"),
        ({"name_contains": "%"}, ""),
        ({"currency": "EUR"}, "c"),
        ({"slug": "our-a"}, "a"),
        ({"sku": "S-B"}, "b"),
        ({"search": "OURS"}, "abcd"),
        ({"search": "b"}, "b"),
        ({"attributes": "colour:red"}, "ac"),
        ({"min_rating": "4"}, "d"),
        ({"low_stock": True}, "c"),
        ({"category": "gone"}, ""),
    ],
)
def test_only_what_the_filter_names_is_changed(filters: dict[str, Any], touched: str) -> None:
    lamps = create_category(slug="lamps", name="Lamps")
    lanterns = create_category(slug="lanterns", name="Lanterns", parent=lamps)
    create_attribute(key="colour", type="text", name="Colour")
    red = {"colour": "red"}
    make_product(name="Our a", slug="our-a", price=Decimal(1), category=lamps, attributes=red)
    make_product(name="Our b", sku="S-B", price=Decimal(2), category=lanterns, stock=0)
    make_product(name="Our c", price=Decimal(3), currency="EUR", attributes=red)
    make_product(name="Our d", price=Decimal(4), active=False, stock=0)
    Product.objects.filter(name="Our d").update(rating_average=4)
    StockAlert.objects.create(product=Product.objects.get(name="Our c"), stock=1, threshold=2)
    delete_product(product_id=make_product(name="Our gone").pk)

    operation = change(percent="10", filter=filters)

    names = Product.objects.filter(version=2, deleted_at=None).order_by("name")
    assert "".join(name[-1] for name in names.values_list("name", flat=True)) == touched
    assert operation.total == operation.changed == len(touched)


@pytest.mark.django_db
def test_deactivation_leaves_products_with_stock_unless_that_is_meant() -> None:
    full, empty = make_product(stock=3), make_product(stock=0)

    operation = change("deactivate")
    full.refresh_from_db()
    was_active = full.active
    change("deactivate", even_with_stock=True)

    full.refresh_from_db()
    empty.refresh_from_db()
    assert codes(operation) == ["product_has_stock"]
    assert (was_active, full.active, empty.active) == (True, False, False)
    assert (full.stock, full.version, empty.version) == (3, 2, 2)


@pytest.mark.django_db
def test_activation_publishes_only_what_was_off() -> None:
    make_product()
    off = make_product(active=False)

    operation = change("activate")

    off.refresh_from_db()
    assert off.active
    assert (operation.done, operation.changed) == (2, 1)
    assert [event["subject"] for event in outbox_events(CHANGED) if event["sequence"] == 2] == [
        str(off.pk)
    ]


@pytest.mark.django_db
def test_undo_puts_back_what_nobody_changed_since() -> None:
    kept, edited, deleted = (make_product(price=Decimal(n)) for n in (1, 2, 3))
    operation = change(percent="50")
    edit_product(product_id=edited.pk, changes={"price": Decimal("9.00")})
    delete_product(product_id=deleted.pk)

    undone = undo_operation(operation_id=operation.pk)
    finish()

    undone.refresh_from_db()
    assert prices() == ["1.00", "9.00", "4.50"]
    assert (undone.state, undone.total, undone.changed, undone.failed) == ("done", 3, 1, 2)
    assert codes(undone) == ["changed_since", "product_deleted"]
    kept.refresh_from_db()
    assert kept.version == 3


@pytest.mark.django_db
def test_undo_of_a_switch_leaves_the_price_that_was_edited_since() -> None:
    product = make_product()
    operation = change("deactivate", even_with_stock=True)
    edit_product(product_id=product.pk, changes={"price": Decimal("9.00")})

    undo_operation(operation_id=operation.pk)
    finish()

    product.refresh_from_db()
    assert (product.active, str(product.price)) == (True, "9.00")


@pytest.mark.django_db
def test_undo_is_refused_where_it_makes_no_sense() -> None:
    make_product()
    queued = start_operation(kind="change_prices", parameters={"filter": {}, "percent": "5"})

    with pytest.raises(OperationUnfinished):
        undo_operation(operation_id=queued.pk)
    finish()
    undone = undo_operation(operation_id=queued.pk)
    with pytest.raises(AlreadyUndone):
        undo_operation(operation_id=queued.pk)
    with pytest.raises(NotUndoable):
        undo_operation(operation_id=undone.pk)

    assert BulkOperation.objects.count() == 2


@pytest.mark.django_db
def test_cancelled_undo_may_be_asked_for_again() -> None:
    make_product(price=Decimal(1))
    operation = change(percent="5")
    cancel_operation(operation_id=undo_operation(operation_id=operation.pk).pk)

    undo_operation(operation_id=operation.pk)
    finish()

    assert prices() == ["1.00"]


@pytest.mark.django_db
def test_operation_is_done_batch_by_batch_and_stops_when_cancelled() -> None:
    make_products(2 * batches.BATCH + 1)
    operation = start_operation(kind="change_prices", parameters={"filter": {}, "percent": "5"})

    # With two batches' events unsent, the next batch waits.
    run(seconds=0.2)
    operation.refresh_from_db()
    first = (operation.state, operation.done, operation.total)
    cancel_operation(operation_id=operation.pk)
    cancel_operation(operation_id=operation.pk)
    send_events()
    assert tasks.run_bulk_operations() == 0

    operation.refresh_from_db()
    assert first[0] == "running"
    assert first[1] in {batches.BATCH, 2 * batches.BATCH}
    assert first[2] == 2 * batches.BATCH + 1
    assert (operation.state, operation.done) == ("cancelled", first[1])
    assert Product.objects.filter(version=2).count() == first[1]
    with pytest.raises(OperationFinished):
        cancel_operation(operation_id=change(percent="1").pk)


@pytest.mark.django_db
def test_operation_waits_while_the_relay_is_behind() -> None:
    products = make_products(running.MAX_UNSENT_EVENTS + 1)
    with transaction.atomic():
        publish_many([state_of(product, None) for product in products])
    operation = start_operation(kind="activate", parameters={"filter": {}})

    assert run(seconds=0.1) == 0
    operation.refresh_from_db()
    assert operation.state == "queued"
    send_events()
    assert run(seconds=10) == 2


@pytest.mark.django_db
def test_batch_that_cannot_be_done_ends_its_operation_and_no_other() -> None:
    make_product(price=Decimal(1))
    broken = start_operation(kind="change_prices", parameters={"filter": {}, "percent": "much"})
    start_operation(kind="change_prices", parameters={"filter": {}, "percent": "5"})

    finish()

    broken.refresh_from_db()
    assert broken.state == "failed"
    assert broken.error
    assert prices() == ["1.05"]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_do_each_batch_once() -> None:
    make_products(5 * batches.BATCH)
    for _ in range(2):
        start_operation(kind="change_prices", parameters={"filter": {}, "amount": "1.00"})

    def work() -> None:
        finish(lambda: run(seconds=0.05))

    results = at_once(*[work] * 4)

    assert results == [None] * 4
    assert set(prices()) == {"3.00"}
    assert BulkChange.objects.count() == 10 * batches.BATCH


@pytest.mark.django_db(transaction=True)
def test_killed_worker_is_followed_by_one_that_changes_nothing_twice() -> None:
    make_products(10 * batches.BATCH)
    operation = start_operation(kind="change_prices", parameters={"filter": {}, "percent": "7.00"})

    for number in range(1, 5):
        with running_process("manage.py", "bulk_operations", "run") as worker:
            wait_until(
                lambda at=2 * number * batches.BATCH: _done(operation) >= at, timeout_seconds=60
            )
            worker.send_signal(signal.SIGKILL)
    finish()

    operation.refresh_from_db()
    assert (operation.state, operation.changed) == ("done", 10 * batches.BATCH)
    assert set(prices()) == {"1.07"}
    assert set(Product.objects.values_list("version", flat=True)) == {2}
    sequences = OutboxEvent.objects.filter(type=CHANGED)
    assert sequences.values("subject").distinct().count() == 10 * batches.BATCH
    assert sequences.count() == 10 * batches.BATCH


@pytest.mark.django_db(transaction=True)
def test_purchases_go_on_while_prices_change() -> None:
    """Both lock the same products, many at once; nobody is refused, and no unit is lost."""
    products = [make_product(stock=1000) for _ in range(40)]
    lines = {product.pk: 1 for product in reversed(products)}
    for _ in range(5):
        start_operation(kind="change_prices", parameters={"filter": {}, "amount": "1.00"})

    def buy() -> None:
        for _ in range(10):
            deliver(router, "products.orders", [placed(lines)])

    results = at_once(buy, buy, finish)

    assert results == [None] * 3
    for product in products:
        product.refresh_from_db()
        assert (str(product.price), product.stock, product.version) == ("8.39", 980, 6)
    assert Reservation.objects.filter(status="reserved").count() == 20
    assert BulkOperation.objects.filter(state="done", failed=0).count() == 5


@pytest.mark.django_db(transaction=True)
def test_rename_of_a_category_meanwhile_is_in_the_last_event() -> None:
    category = create_category(slug="lamps", name="Old")
    product = make_product(category=category)
    start_operation(kind="change_prices", parameters={"filter": {}, "percent": "5.00"})

    def rename_slowly() -> None:
        with transaction.atomic():
            edit_category(category_id=category.pk, changes={"name": "New"})
            wait_until(somebody_waits_for_a_lock)

    at_once(rename_slowly, lambda: wait_until(_renaming) and finish())

    product.refresh_from_db()
    events = outbox_events(CHANGED)
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert events[-1]["data"]["category"]["name"] == "New"
    assert Category.objects.get().name == "New"


def _renaming() -> bool:
    """Whether another transaction holds the product's row."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM product FOR NO KEY UPDATE SKIP LOCKED")
        return cursor.fetchone() is None


def _done(operation: BulkOperation) -> int:
    send_events()
    operation.refresh_from_db()
    return operation.done


@pytest.mark.django_db
def test_command_lists_runs_cancels_and_undoes(capsys: pytest.CaptureFixture[str]) -> None:
    make_product(price=Decimal(1))
    operation = start_operation(kind="change_prices", parameters={"filter": {}, "percent": "5"})

    call_command("bulk_operations", "run")
    call_command("bulk_operations", "list")
    call_command("bulk_operations", "undo", str(operation.pk))
    last = BulkOperation.objects.latest("id")
    call_command("bulk_operations", "cancel", str(last.pk))

    said = capsys.readouterr().out
    assert "1 batches done." in said
    assert f"{operation.pk}  change_prices  done" in said
    assert f"{last.pk} is cancelled." in said
    with pytest.raises(CommandError, match="It has ended"):
        call_command("bulk_operations", "cancel", str(operation.pk))
