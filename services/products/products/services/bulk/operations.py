"""What staff ask for: to begin a bulk operation, to stop it, to undo it."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from products.errors import (
    AlreadyUndone,
    NotUndoable,
    OperationFinished,
    OperationUnfinished,
    TooManyOperations,
)
from products.models import BulkOperation
from servicekit.database import violated_constraint
from servicekit.http.problems import NotFound

Kind, State = BulkOperation.Kind, BulkOperation.State
UNFINISHED = (State.QUEUED, State.RUNNING)
UNDOABLE = frozenset({Kind.CHANGE_PRICES, Kind.ACTIVATE, Kind.DEACTIVATE})
#: They wait for each other; a file of each may be kept meanwhile.
MAX_UNFINISHED = 20


def start_operation(
    *, kind: str, parameters: dict[str, Any], by: UUID | None = None
) -> BulkOperation:
    """Queue an operation; the worker takes it up within seconds, one after another.

    Raises:
        TooManyOperations: twenty have not ended.
    """
    check_room()
    return BulkOperation.objects.create(kind=kind, parameters=parameters, by=by)


def cancel_operation(*, operation_id: UUID) -> None:
    """Stop an operation after its batch of the moment; what it has changed stays changed.

    Raises:
        NotFound: there is no such operation.
        OperationFinished: it ended before, and was not cancelled.
    """
    with transaction.atomic():
        operation = _lock(operation_id)
        if operation.state == State.CANCELLED:
            return
        if operation.is_finished:
            raise OperationFinished("It has ended.", members={"state": operation.state})
        operation.state = State.CANCELLED
        operation.finished_at = Now()
        operation.save(update_fields=["state", "finished_at"])


def undo_operation(*, operation_id: UUID, by: UUID | None = None) -> BulkOperation:
    """Queue an operation that puts back what another one changed and nobody has changed since.

    Raises:
        NotFound: there is no such operation.
        NotUndoable: it is an import, or itself an undo.
        OperationUnfinished: it has not ended.
        AlreadyUndone: it was undone, or is being undone.
        TooManyOperations: twenty have not ended.
    """
    check_room()
    with transaction.atomic():
        operation = _lock(operation_id)
        if operation.kind not in UNDOABLE:
            raise NotUndoable("An import or an undo stays as it is.")
        if not operation.is_finished:
            raise OperationUnfinished("Cancel it first, or wait for its end.")
        return _queue_undo(operation, by)


def has_unfinished() -> bool:
    """Whether an operation waits or runs."""
    return BulkOperation.objects.filter(state__in=UNFINISHED).exists()


def check_room() -> None:
    """Look whether another operation may wait.

    Raises:
        TooManyOperations: twenty have not ended.
    """
    if BulkOperation.objects.filter(state__in=UNFINISHED).count() >= MAX_UNFINISHED:
        raise TooManyOperations(f"{MAX_UNFINISHED} have not ended. Wait, or cancel one of them.")


def _queue_undo(operation: BulkOperation, by: UUID | None) -> BulkOperation:
    try:
        # A savepoint, since the error would end the transaction of whoever calls.
        with transaction.atomic():
            return BulkOperation.objects.create(kind=Kind.UNDO, undoes=operation, by=by)
    except IntegrityError as error:
        if violated_constraint(error) == "bulk_operation_undone_once":
            raise AlreadyUndone("It was undone, or is being undone.") from error
        raise


def _lock(operation_id: UUID) -> BulkOperation:
    rows = BulkOperation.objects.filter(pk=operation_id)
    operation = rows.select_for_update(no_key=True).first()
    if operation is None:
        raise NotFound
    return operation
