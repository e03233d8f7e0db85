"""What PostgreSQL does to answer: the plans of the statements that a test really runs."""

from collections.abc import Collection, Iterator
from typing import Any

from django.db import connection


class Plans:
    """Explains every statement that reads, where it runs, and as it runs.

    with connection.execute_wrapper(plans := Plans({"orders"})):
        …
    """

    def __init__(self, large: Collection[str]) -> None:
        self.found: list[dict[str, Any]] = []
        self._large = large

    def __call__(self, execute: Any, sql: str, parameters: Any, *rest: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            # Past Django, whose cursors would come here again.
            explained = connection.connection.execute(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", parameters
            )
            self.found.append(explained.fetchone()[0][0]["Plan"])
        return execute(sql, parameters, *rest)

    def scans(self) -> Iterator[dict[str, Any]]:
        """Return the nodes that read rows of large tables."""
        waiting = list(self.found)
        while waiting:
            node = waiting.pop()
            waiting += node.get("Plans", [])
            if node.get("Relation Name") in self._large:
                yield node


def rows_read(scan: dict[str, Any]) -> int:
    """Return how many rows a scan looked at, those that it left out among them."""
    left_out = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    return int(scan["Actual Loops"] * (scan["Actual Rows"] + left_out))
