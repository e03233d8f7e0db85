"""Which function handles which event of which queue; each service's `handlers.py` says it."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.utils.module_loading import import_string

from servicekit.conf import kit_settings
from servicekit.messaging.envelope import ConsumedEvent, Envelope

E = TypeVar("E", bound=ConsumedEvent)


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event that arrived: its data as the declared type, and its envelope."""

    event: E
    envelope: Envelope


#: Takes events of one handler and returns, for each, how many rows handling it will write.
RowCounter = Callable[[Sequence[Received[Any]]], list[int]]


class RowsLocked(Exception):
    """Some events of a batch need rows that another transaction has held for long.

    A handler raises it when `context.avoid_locks` is set, with the ids of those events. The
    consumer schedules a retry for them and handles the others at once.
    """

    def __init__(self, event_ids: Set[UUID]) -> None:
        super().__init__(f"{len(event_ids)} events need locked rows")
        self.event_ids = event_ids


@dataclass(frozen=True, slots=True)
class Handler:
    """What handles an event type of a queue.

    `run` takes the consecutive events of a batch that are its own, in order; event types that
    were registered together share it. `rows` says how many rows each event will write, where
    its size does not show it: a transaction takes a bounded number of rows.
    """

    event_class: type[ConsumedEvent]
    run: Callable[[Sequence[Received[Any]]], None]
    rows: RowCounter | None = None


class Router:
    """The handlers of a service, by queue and event type.

    `@router.handles_batch(queue, EventClass, …)` registers a function of a list of `Received`,
    `@router.handles` a function of a single event and its envelope. A handler runs inside the
    transaction that also holds the inbox row. A business "no" is an event that it publishes; an
    exception means "try again".
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.queues: dict[str, dict[str, Handler]] = {}

    def handles_batch(
        self, queue: str, *event_classes: type[ConsumedEvent], rows: RowCounter | None = None
    ) -> Callable[..., Any]:
        """Register a function of a list of `Received`.

        The events of several classes that are registered together arrive in the same list.
        """

        def register(function: Callable[[list[Received[Any]]], None]) -> Callable[..., None]:
            def run(received: Sequence[Received[Any]]) -> None:
                function(list(received))

            for event_class in event_classes:
                self._add(queue, Handler(event_class, run, rows))
            return function

        return register

    def handles(self, queue: str, event_class: type[E]) -> Callable[..., Any]:
        """Register a function of an event and its envelope."""

        def register(function: Callable[[E, Envelope], None]) -> Callable[[E, Envelope], None]:
            def run(received: Sequence[Received[E]]) -> None:
                for item in received:
                    function(item.event, item.envelope)

            self._add(queue, Handler(event_class, run))
            return function

        return register

    def _add(self, queue: str, handler: Handler) -> None:
        handlers = self.queues.setdefault(queue, {})
        if handler.event_class.type in handlers:
            raise ValueError(f"{queue} has two handlers for {handler.event_class.type}")
        handlers[handler.event_class.type] = handler


def service_router() -> Router:
    """Return the service's router, such as "orders.handlers.router"."""
    router: Router = import_string(kit_settings.event_router)
    return router
