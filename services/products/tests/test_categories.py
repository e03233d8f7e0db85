"""The tree of categories, and what a change of it means to the products in it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from products.errors import CategoryCycle, CategoryGone
from products.events import ProductChanged
from products.models import Category, Product
from products.services.categories import create_category, delete_category, edit_category
from products.services.products import delete_product, edit_product
from servicekit.models import OutboxEvent
from servicekit.testing.deliver import outbox_events
from servicekit.testing.waiting import somebody_waits_for_a_lock, wait_until
from tests.factories import make_product
from tests.test_stock import deadlocks, errors_of


def branch(name: str, levels: int) -> list[Category]:
    """Rows of a branch, from the top down, whatever its depth."""
    made: list[Category] = []
    for level in range(levels):
        parent = made[-1] if made else None
        made.append(Category.objects.create(slug=f"{name}-{level}", name=name, parent=parent))
    return made


def states() -> list[dict[str, Any]]:
    return [each["data"] for each in outbox_events(ProductChanged.type)]


@pytest.mark.django_db
def test_branch_that_would_hang_too_deep_is_not_moved() -> None:
    under, moved = branch("under", 6), branch("moved", 5)

    with pytest.raises(CategoryCycle, match="11 levels deep there; at most 10"):
        edit_category(category_id=moved[0].pk, changes={"parent": under[-1]})
    edit_category(category_id=moved[0].pk, changes={"parent": under[-2]})

    moved[0].refresh_from_db()
    assert moved[0].parent == under[-2]


@pytest.mark.django_db
def test_category_is_not_moved_below_itself() -> None:
    made = branch("top", 3)

    with pytest.raises(CategoryCycle, match="below itself"):
        edit_category(category_id=made[0].pk, changes={"parent": made[2]})


@pytest.mark.django_db
def test_category_that_is_too_deep_already_can_be_renamed() -> None:
    made = branch("deep", 19)

    edit_category(
        category_id=made[-1].pk, changes={"name": "Still here", "parent": made[-1].parent}
    )

    assert Category.objects.get(pk=made[-1].pk).name == "Still here"


@pytest.mark.django_db
def test_rename_publishes_each_product_but_no_deleted_one() -> None:
    category = create_category(slug="lamps", name="Lamps")
    kept, deleted = make_product(category=category), make_product(category=category)
    delete_product(product_id=deleted.pk)
    OutboxEvent.objects.all().delete()

    edit_category(category_id=category.pk, changes={"name": "Lights"})

    (event,) = states()
    assert (event["product_id"], event["version"]) == (str(kept.pk), 2)
    assert event["category"]["name"] == "Lights"
    assert Product.objects.get(pk=deleted.pk).version == 2


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{}, {"name": "Lamps"}, {"parent": "top"}])
def test_change_that_products_do_not_show_publishes_nothing(changes: dict[str, Any]) -> None:
    top = create_category(slug="top", name="Top")
    category = create_category(slug="lamps", name="Lamps")
    make_product(category=category)
    OutboxEvent.objects.all().delete()

    edit_category(
        category_id=category.pk, changes=changes | ({"parent": top} if "parent" in changes else {})
    )

    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
def test_rename_costs_statements_by_sets(django_assert_max_num_queries: Any) -> None:
    category = create_category(slug="lamps", name="Lamps")
    Product.objects.bulk_create(
        Product(slug=f"lamp-{number}", name="Lamp", price=1, currency="EUR", category=category)
        for number in range(1200)
    )

    with django_assert_max_num_queries(20):
        edit_category(category_id=category.pk, changes={"name": "Lights"})

    assert OutboxEvent.objects.count() == 1200
    assert set(Product.objects.values_list("version", flat=True)) == {2}


@pytest.mark.django_db(transaction=True)
def test_rename_and_moves_of_products_never_deadlock() -> None:
    category, other = (create_category(slug=slug, name=slug) for slug in ("lamps", "other"))
    products = [make_product(category=category) for _ in range(3)]
    before = deadlocks()

    def rename() -> None:
        for number in range(40):
            edit_category(category_id=category.pk, changes={"slug": f"lamps-{number}"})

    def move(product_id: UUID) -> Callable[[], None]:
        def run() -> None:
            for number in range(40):
                target = (category, other)[number % 2]
                edit_product(product_id=product_id, changes={"category": target})

        return run

    assert errors_of([rename, *(move(product.pk) for product in products)]) == []
    assert deadlocks() == before


@pytest.mark.django_db(transaction=True)
def test_product_made_during_a_rename_shows_the_new_name() -> None:
    category = create_category(slug="lamps", name="Lamps")

    def make() -> None:
        make_product(slug="new", category=category)

    def rename() -> None:
        with transaction.atomic():
            edit_category(category_id=category.pk, changes={"name": "Lights"})
            wait_until(somebody_waits_for_a_lock)

    assert errors_of([rename, lambda: _after_rename_began(category, make)]) == []
    assert states()[-1]["category"]["name"] == "Lights"


def _after_rename_began(category: Category, work: Callable[[], None]) -> None:
    """Run the work once somebody holds the category's row."""

    def is_held() -> bool:
        with transaction.atomic():
            rows = Category.objects.select_for_update(skip_locked=True).filter(pk=category.pk)
            return not list(rows)

    wait_until(is_held)
    work()


@pytest.mark.django_db
def test_product_is_not_put_into_a_category_that_is_gone() -> None:
    category = create_category(slug="lamps", name="Lamps")
    product = make_product()
    delete_category(category_id=category.pk)

    with pytest.raises(CategoryGone):
        edit_product(product_id=product.pk, changes={"category": category})
    product.refresh_from_db()
    assert (product.category_id, product.version) == (None, 1)


@pytest.mark.django_db
def test_category_that_held_a_deleted_product_can_be_deleted() -> None:
    """It shows nothing any more, so there was nothing to move first."""
    category = create_category(slug="lanterns", name="Lanterns")
    product = make_product(category=category)

    delete_product(product_id=product.pk)
    delete_category(category_id=category.pk)

    assert not Category.objects.exists()
    assert Product.objects.get().deleted_at is not None
