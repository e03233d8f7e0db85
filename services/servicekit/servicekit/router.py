"""Which function handles which event of which queue: each service's `handlers.py` fills one Router."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from servicekit.envelope import ConsumedEvent, Envelope

E = TypeVar("E", bound=ConsumedEvent)


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event that arrived: its data as the declared type, and its envelope."""

    event: E
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler takes every event of one type that came in a row, in order."""

    event_class: type[ConsumedEvent]
    run: Callable[[Sequence[Received[Any]]], None]


class Router:
    """The handlers of one service, by queue and event type.

    `@router.handles_batch(queue, EventClass)` registers a function of a list of `Received`; `@router.handles` one of a single event
    and its envelope. A handler runs inside the transaction that also holds the inbox row; a business "no" is an event it
    publishes, an exception means "try again".
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.queues: dict[str, dict[str, Handler]] = {}

    def handles_batch(self, queue: str, event_class: type[E]) -> Callable[..., Any]:
        def register(function: Callable[[list[Received[E]]], None]) -> Callable[[list[Received[E]]], None]:
            self._add(queue, event_class, lambda received: function(list(received)))
            return function

        return register

    def handles(self, queue: str, event_class: type[E]) -> Callable[..., Any]:
        def register(function: Callable[[E, Envelope], None]) -> Callable[[E, Envelope], None]:
            def run(received: Sequence[Received[E]]) -> None:
                for one in received:
                    function(one.event, one.envelope)

            self._add(queue, event_class, run)
            return function

        return register

    def _add(self, queue: str, event_class: type[ConsumedEvent], run: Callable[..., None]) -> None:
        handlers = self.queues.setdefault(queue, {})
        if event_class.type in handlers:
            raise ValueError(f"{queue} has two handlers for {event_class.type}")
        handlers[event_class.type] = Handler(event_class, run)


def service_router() -> Router:
    """Return the router that settings.EVENT_ROUTER names, such as "orders.handlers.router"."""
    router: Router = import_string(settings.EVENT_ROUTER)
    return router
