import getpass
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from servicekit.messaging import outbox_actions
from servicekit.messaging.router import service_router
from servicekit.models import OutboxEvent

EXAMPLE_TIME = "2026-11-26T10:00:00Z"
HINT = "`outbox show POSITION` shows an event; `outbox retry` sends again after the repair."


class Command(BaseCommand):
    help = (
        "Look at the events that could not be published; send them again or give them up. "
        "Publish again what was sent while a queue was unbound. Every action is recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="parked events, and the oldest that the broker refused")
        show = actions.add_parser("show", help="a whole event")
        show.add_argument("position", type=int)
        for name, text in (("retry", "let the relay try again"), ("discard", "never publish")):
            action = actions.add_parser(name, help=text)
            action.add_argument("positions", type=int, nargs="*")
            action.add_argument("--all", action="store_true", help="every parked event")
            _add_author(action)
        _add_republish(actions.add_parser("republish", help="send again what was sent, same ids"))

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(**options)
        except outbox_actions.EventNotParked as error:
            raise CommandError(str(error)) from error

    def _list(self, **_options: Any) -> None:
        events = list(OutboxEvent.objects.parked().defer("data"))
        for event in events:
            self._line(event)
        unsent = OutboxEvent.objects.unsent()
        hint = f" {HINT}" if events else ""
        self.stdout.write(f"{len(events)} parked, {unsent.count()} unsent.{hint}")
        for event in unsent.filter(attempts__gt=0).defer("data")[:20]:
            self.stdout.write("Refused for now, tried again by itself:")
            self._line(event)

    def _line(self, event: OutboxEvent) -> None:
        at = event.created_at.isoformat(timespec="seconds")
        error = event.last_error[:200]
        self.stdout.write(f"{event.pk:>8}  {at}  {event.type:<34} {event.subject}  {error}")

    def _show(self, *, position: int, **_options: Any) -> None:
        event = OutboxEvent.objects.filter(pk=position).first()
        if event is None:
            raise CommandError(f"There is no event at {position}. `outbox list` shows the parked.")
        names = (
            "id",
            "type",
            "subject",
            "sequence",
            "causation",
            "traceparent",
            "created_at",
            "attempts",
        )
        for name in (*names, "not_before", "last_error", "parked_at", "discarded_at", "sent_at"):
            self.stdout.write(f"{name:<13}{getattr(event, name)}")
        data = bytes(event.data)[:4000].decode("utf-8", "backslashreplace")
        self.stdout.write(f"{'data':<13}{data}")
        for done in event.actions.all():
            self.stdout.write(
                f"{done.at.isoformat(timespec='seconds')}  {done.action} by {done.by}  {done.note}"
            )

    def _retry(self, *, by: str, note: str, **options: Any) -> None:
        count = outbox_actions.retry(positions=self._positions(**options), by=by, note=note)
        self.stdout.write(f"{count} will be tried again. `outbox list` shows what is parked anew.")

    def _discard(self, *, by: str, note: str, **options: Any) -> None:
        count = outbox_actions.discard(positions=self._positions(**options), by=by, note=note)
        self.stdout.write(f"{count} discarded. `outbox show POSITION` shows who decided it.")

    def _republish(
        self,
        *,
        event_type: str,
        since: datetime,
        until: datetime | None,
        dry_run: bool,
        by: str,
        note: str,
        **_options: Any,
    ) -> None:
        service = service_router().service
        if event_type.partition(".")[0] != service:
            self.stdout.write(f"{event_type} is not an event of {service}.")
            return
        until = until or timezone.now()
        if dry_run:
            events = outbox_actions.sent_events(event_type=event_type, since=since, until=until)
            self.stdout.write(f"{events.count()} would be published again.")
            return
        count = outbox_actions.republish(
            event_type=event_type, since=since, until=until, by=by, note=note
        )
        if not count:
            raise CommandError(
                f"No {event_type} to publish again was sent from {since} to {until}."
            )
        self.stdout.write(
            f"{count} will be published again, with their ids: who has handled them ignores them."
        )

    def _positions(self, *, positions: list[int], all: bool, **_options: Any) -> list[int]:
        if all:
            return list(OutboxEvent.objects.parked().values_list("pk", flat=True))
        if not positions:
            raise CommandError("Name events by position, or say --all. `outbox list` shows them.")
        return positions


def _add_republish(parser: CommandParser) -> None:
    parser.add_argument(
        "--type", required=True, dest="event_type", help="users.user_sessions_revoked.v1"
    )
    parser.add_argument(
        "--since", type=_moment, required=True, help=f"{EXAMPLE_TIME}: sent since then"
    )
    parser.add_argument("--until", type=_moment, help="sent before then; default: now")
    parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
    _add_author(parser)


def _add_author(parser: CommandParser) -> None:
    parser.add_argument("--by", default=getpass.getuser())
    parser.add_argument("--note", default="")


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment):
        raise ArgumentTypeError(f"{text!r} is not a time with offset, such as {EXAMPLE_TIME}")
    return moment
