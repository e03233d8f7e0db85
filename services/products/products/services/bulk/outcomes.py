"""What came of a batch: how much was done, and why something was left as it was."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from products.models import BulkError, BulkOperation

#: Of how many products or lines an operation keeps the reasons; it counts them all.
MAX_ERRORS = 10_000


class LeftAlone(Exception):
    """The product or the line stays as it is; `code` and `detail` say why."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.errors = [{"pointer": pointer, "code": code, "detail": detail}]

    @classmethod
    def for_reasons(cls, errors: list[dict[str, str]]) -> "LeftAlone":
        """Return one with several reasons, each with pointer, code and detail."""
        found = cls("", "")
        found.errors = errors
        return found


@dataclass(slots=True)
class Outcome:
    """What a batch did; it is added to its operation when the batch commits."""

    is_last: bool = False
    done: int = 0
    created: int = 0
    changed: int = 0
    repeated: int = 0
    failed: int = 0
    errors: list[BulkError] = field(default_factory=list)

    def refuse(
        self, reason: LeftAlone, *, product_id: UUID | None = None, line: int | None = None
    ) -> None:
        """Note a product or a line that is left as it was, with its reasons."""
        self.failed += 1
        self.errors += [_error(each, product_id, line) for each in reason.errors]

    def add_to(self, operation: BulkOperation) -> None:
        """Count it in, and keep its errors while the operation has few."""
        if operation.failed < MAX_ERRORS:
            _store(operation, self.errors)
        for name in ("done", "created", "changed", "repeated", "failed"):
            setattr(operation, name, getattr(operation, name) + getattr(self, name))


def _error(reason: dict[str, str], product_id: UUID | None, line: int | None) -> BulkError:
    return BulkError(
        product_id=product_id,
        line=line,
        pointer=_stored(reason["pointer"], 200),
        code=reason["code"][:50],
        detail=_stored(reason["detail"], 300),
    )


def _stored(text: str, length: int) -> str:
    """What is quoted of a file may hold what PostgreSQL cannot."""
    clean: Any = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return str(clean.encode("utf-8", "replace").decode())[:length]


def _store(operation: BulkOperation, errors: Iterable[BulkError]) -> None:
    """Store errors in the order of their lines, which is that of their ids."""
    found = sorted(errors, key=lambda error: error.line or 0)
    for error in found:
        error.id, error.operation = uuid7(), operation
    BulkError.objects.bulk_create(found)
