"""gunicorn's thread worker, which loses no request when it is told to stop.

gunicorn leaves its port open while it finishes what it has accepted. Who connects meanwhile is never accepted and is cut off at the
end, after having sent a request: a proxy cannot tell that nothing was done, and may not repeat a POST. This worker takes in
what already waits, and closes the port at once: whoever comes then is refused before sending anything, and may try again.
"""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class DrainingThreadWorker(ThreadWorker):  # type: ignore[misc]
    """Accepts what waits, then closes the port, then finishes what it has."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called with False by `run` when the worker stops, and when it has all the connections it may have."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_what_waits(listener)
                listener.close()

    def _take_what_waits(self, listener: Any) -> None:
        before = -1
        while self.nr_conns != before:
            before = self.nr_conns
            self.accept(listener)
