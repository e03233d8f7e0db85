"""Which events let those of orders go first: everything that is said of a product."""

from collections import defaultdict
from decimal import Decimal

import pytest
from uuid_utils.compat import uuid7

from products import events
from products.handlers import router
from products.services.products import delete_product, edit_product
from servicekit.messaging.outbox_lanes import patient_types
from servicekit.models import OutboxEvent
from servicekit.testing.deliver import deliver
from tests.bulk import change
from tests.factories import cancelled, make_product, placed


@pytest.mark.django_db
def test_events_of_a_product_are_in_one_lane_and_those_of_orders_in_the_other() -> None:
    """The relay keeps the order within a lane only."""
    product, order_id = make_product(stock=2, low_stock_threshold=1), uuid7()
    deliver(router, "products.orders", [placed({product.pk: 1}, order_id)])
    deliver(router, "products.orders", [placed({product.pk: 5})])
    deliver(router, "products.orders", [cancelled(order_id)])
    edit_product(product_id=product.pk, changes={"price": Decimal(2)})
    change(percent="5.00")
    delete_product(product_id=product.pk)

    by_subject = defaultdict(set)
    for event_type, subject in OutboxEvent.objects.values_list("type", "subject"):
        by_subject[subject].add(event_type)

    of_product = by_subject.pop(str(product.pk))
    assert of_product == set(patient_types(events))
    assert of_product.isdisjoint(set.union(*by_subject.values()))
    assert len(set.union(*by_subject.values())) == 3
