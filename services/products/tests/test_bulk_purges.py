"""What bulk operations leave behind goes when it has served its purpose."""

from datetime import timedelta

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from products.models import BulkChange, BulkError, BulkOperation, ImportChunk, ImportKey
from products.services.bulk.operations import start_operation, undo_operation
from servicekit.operations import purge
from tests.bulk import change, finish
from tests.factories import make_product


def age(operation: BulkOperation, **by: int) -> None:
    moment = timezone.now() - timedelta(**by)
    BulkOperation.objects.filter(pk=operation.pk).update(finished_at=moment)


@pytest.mark.django_db(transaction=True)
def test_operations_go_after_90_days_with_all_that_hangs_on_them() -> None:
    make_product(price=1)
    old, kept = change(percent="5"), change(percent="5")
    change(amount="-9", filter={"currency": "GBP"})
    undo = undo_operation(operation_id=old.pk)
    finish()
    for operation in BulkOperation.objects.exclude(pk=kept.pk):
        age(operation, days=91)

    for _ in range(2):
        assert not [table.error for table in purge.run() if table.error]

    assert list(BulkOperation.objects.values_list("pk", flat=True)) == [kept.pk]
    assert BulkChange.objects.count() == 1
    assert not BulkError.objects.exists()
    assert undo.pk


@pytest.mark.django_db(transaction=True)
def test_files_go_a_day_after_they_came_but_not_while_they_are_imported() -> None:
    waiting = start_operation(kind="import", parameters={})
    ended = start_operation(kind="import", parameters={})
    BulkOperation.objects.filter(pk=ended.pk).update(state="done", finished_at=timezone.now())
    age(ended, days=2)
    for operation_id in (waiting.pk, ended.pk, uuid7()):
        ImportChunk.objects.create(operation_id=operation_id, number=0, data=b"x")
    ImportKey.objects.create(operation=ended, key="sku:A", line=2, digest=b"x")
    ImportKey.objects.create(operation=waiting, key="sku:A", line=2, digest=b"x")
    ImportChunk.objects.update(received_at=timezone.now() - timedelta(days=2))

    purge.run()

    assert [chunk.operation_id for chunk in ImportChunk.objects.all()] == [waiting.pk]
    assert [key.operation_id for key in ImportKey.objects.all()] == [waiting.pk]
    assert BulkOperation.objects.count() == 2
