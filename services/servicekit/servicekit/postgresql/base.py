"""Django's PostgreSQL backend, with a health check that costs no round trip.

Its reasons are in docs/adr/0005-a-connection-a-thread.md. A session that is at fault is replaced
(docs/adr/0066-sessions-are-replaced.md).
"""

import select
from collections.abc import Callable
from typing import Any

from django.db import Error
from django.db.backends.postgresql import base

from servicekit.database import LOST, may_have_been_executed, needs_new_connection

#: How statements begin that leave nothing behind after their transaction.
READS = ("SELECT", "SET", "SHOW", "SAVEPOINT", "RELEASE", "ROLLBACK")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection per thread, kept between requests and checked before each."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute_wrappers.append(self._execute_healing)
        #: Whether anything may have been committed since a caller (http.rerun) set it to False.
        self.has_effects = False
        self._has_written = False
        self._is_at_fault = False

    def is_usable(self) -> bool:
        """Whether the connection is alive.

        A server that ended it has left something to read; only then is the server asked.
        """
        connection = self.connection
        if connection is None or connection.broken or connection.closed or self._is_at_fault:
            return False
        watch = select.poll()
        watch.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        if not watch.poll(0):
            return True
        return bool(super().is_usable())

    def get_new_connection(self, conn_params: Any) -> Any:
        """Connect; a new session is not at fault."""
        self._is_at_fault = False
        return super().get_new_connection(conn_params)

    def _execute_healing(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Run a statement, outside a transaction once more if the session alone was at fault.

        Inside a transaction, what ran before is lost with the session: the whole must run again,
        which is for the caller. The same holds for a server-side cursor.
        """
        is_read = str(sql).lstrip(" \n(").upper().startswith(READS)
        in_transaction = self.in_atomic_block or not self.autocommit
        self._note(is_read=is_read, in_transaction=in_transaction)
        try:
            return execute(sql, params, many, context)
        except Error as error:
            self._mark_loss(error)
            self._is_at_fault = self._is_at_fault or needs_new_connection(error)
            is_lost = in_transaction or getattr(context["cursor"].cursor, "name", None)
            if not self._is_at_fault or is_lost or (may_have_been_executed(error) and not is_read):
                raise
        self._replace_session(context["cursor"])
        return execute(sql, params, many, context)

    def _note(self, *, is_read: bool, in_transaction: bool) -> None:
        if is_read:
            return
        if in_transaction:
            self._has_written = True
        else:
            self.has_effects = True

    def _mark_loss(self, error: Error) -> None:
        if self.connection is None or self.connection.closed:
            setattr(error, LOST, True)

    def _replace_session(self, cursor: Any) -> None:
        self.close()
        self.ensure_connection()
        cursor.cursor = self.create_cursor()

    def commit(self) -> None:
        """Commit, and remember whether anything was written."""
        # Before it is tried, because nobody knows what became of a commit that failed.
        self.has_effects = self.has_effects or self._has_written
        self._has_written = False
        try:
            super().commit()
        except Error as error:
            self._mark_loss(error)
            raise

    def rollback(self) -> None:
        """Roll back, and forget what was written."""
        self._has_written = False
        super().rollback()
