"""What a file has said so far: the first valid line about a product counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from products.models import BulkOperation, ImportKey
from products.services.bulk.outcomes import LeftAlone


@dataclass(slots=True)
class Candidate:
    """A line, what it says of a product, and the keys by which other lines may name it again.

    `columns` are those of a CSV file that the line fills.
    """

    line: int
    content: dict[str, Any]
    keys: list[str]
    digest: bytes
    columns: Sequence[str] = ()


class Seen:
    """The products that a file has named, of those that a batch may name."""

    def __init__(self, operation: BulkOperation, keys: Iterable[str]) -> None:
        self._operation = operation
        # What PostgreSQL cannot compare is no key of a product: a serializer will say so.
        comparable = [key for key in keys if "\0" not in key]
        rows = ImportKey.objects.filter(operation=operation, key__in=comparable)
        self._known = {row.key: (row.line, bytes(row.digest)) for row in rows}
        self._new: list[Candidate] = []

    def is_repeated(self, candidate: Candidate) -> bool:
        """Return whether a line before said just this of the product.

        Raises:
            LeftAlone: a line before said something else.
        """
        for key in candidate.keys:
            if key in self._known:
                line, digest = self._known[key]
                if digest == candidate.digest:
                    return True
                raise LeftAlone("conflicting_line", f"Line {line} says otherwise, and counts.")
        return False

    def add(self, candidate: Candidate) -> None:
        """Note that this line counts."""
        self._known |= dict.fromkeys(candidate.keys, (candidate.line, candidate.digest))
        self._new.append(candidate)

    def remember(self) -> None:
        """Keep it for the batches that follow."""
        ImportKey.objects.bulk_create(
            ImportKey(operation=self._operation, key=key, line=each.line, digest=each.digest)
            for each in self._new
            for key in each.keys
        )
