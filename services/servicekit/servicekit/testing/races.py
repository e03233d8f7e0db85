"""Several threads at the same thing."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, connections


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run the works in threads that start together; return what each returned or raised, in order.

    Raises:
        AssertionError: they did not end within a minute.
    """
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            # Connecting takes longer than most works: they would miss each other.
            connection.ensure_connection()
            barrier.wait(timeout=20)
            results[number] = work()
        except BaseException as error:  # the test judges it
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "the works wait for each other"
    return results
