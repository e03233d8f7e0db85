"""Django's PostgreSQL backend, with a health check that costs no round trip (docs/adr/0005-a-connection-a-thread.md)."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection a thread, kept between requests and looked at before each."""

    def is_usable(self) -> bool:
        """Whether the connection is alive. A server that ended it has left something to read; only then is it asked."""
        connection = self.connection
        if connection is None or connection.broken or connection.closed:
            return False
        watch = select.poll()
        watch.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        if not watch.poll(0):
            return True
        return bool(super().is_usable())
