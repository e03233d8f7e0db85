import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit.conf import kit_settings
from servicekit.messaging import dead_letters
from servicekit.messaging.publisher import Publisher, PublishingFailed
from servicekit.messaging.router import service_router
from servicekit.models import DeadLetter

SHOWN_FIELDS = (
    "queue",
    "type",
    "event_id",
    "reason",
    "detail",
    "state",
    "received_at",
    "content_type",
)
#: A transaction of a redrive spans the broker's confirms: it must not hold many rows for long.
REDRIVE_BATCH = 100


class Command(BaseCommand):
    help = (
        "Look at the messages that could not be handled; send them back or give them up. "
        "Every action is recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="a line for each letter")
        listing.add_argument(
            "--state", choices=DeadLetter.State.values, default=DeadLetter.State.WAITING.value
        )
        show = actions.add_parser("show", help="a whole letter")
        show.add_argument("id", type=int)
        _add_action(actions.add_parser("redrive", help="send letters back to their queues"))
        _add_action(actions.add_parser("discard", help="give letters up"))

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(**options)
        except (dead_letters.LetterNotWaiting, dead_letters.RedriveRefused) as error:
            raise CommandError(str(error)) from error
        except PublishingFailed as error:
            raise CommandError(
                f"The broker is away ({error}). Nothing changed; try again when it is back."
            ) from error

    def _list(self, *, state: str, **_options: Any) -> None:
        letters = list(DeadLetter.objects.filter(state=state).defer("body"))
        for letter in letters:
            at = letter.received_at.isoformat(timespec="seconds")
            origin = f"{letter.queue:<18} {letter.reason:<30} {letter.type}"
            self.stdout.write(f"{letter.pk:>6}  {at}  {origin}  {letter.event_id or ''}")
        hint = " `deadletters show ID` shows a letter." if letters else ""
        self.stdout.write(f"{len(letters)} {state}.{hint}")

    def _show(self, *, id: int, **_options: Any) -> None:
        letter = DeadLetter.objects.filter(pk=id).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {id}. `deadletters list` shows what is.")
        for name in SHOWN_FIELDS:
            self.stdout.write(f"{name:<13}{getattr(letter, name)}")
        body = bytes(letter.body)[:4000].decode("utf-8", "backslashreplace")
        self.stdout.write(f"{'headers':<13}{json.dumps(letter.headers, indent=2)}")
        self.stdout.write(f"{'body':<13}{body}")
        for action in letter.actions.all():
            at = action.at.isoformat(timespec="seconds")
            self.stdout.write(f"{at}  {action.action} by {action.by}  {action.note}")

    def _redrive(self, *, by: str, note: str, **options: Any) -> None:
        publisher = Publisher(kit_settings.broker_url)
        service = service_router().service
        ids = self._ids(**options)
        sent = 0
        for start in range(0, len(ids), REDRIVE_BATCH):
            batch = ids[start : start + REDRIVE_BATCH]
            sent += dead_letters.redrive(
                letter_ids=batch, publisher=publisher, service=service, by=by, note=note
            )
        publisher.close()
        self.stdout.write(
            f"{sent} sent back to their queues. What fails again comes back: `deadletters list`."
        )

    def _discard(self, *, by: str, note: str, **options: Any) -> None:
        count = dead_letters.discard(letter_ids=self._ids(**options), by=by, note=note)
        self.stdout.write(
            f"{count} discarded; the rows stay. `deadletters list --state discarded` shows them."
        )

    def _ids(self, *, ids: list[int], all: bool, **_options: Any) -> list[int]:
        if all:
            waiting = DeadLetter.objects.filter(state=DeadLetter.State.WAITING)
            return list(waiting.values_list("pk", flat=True))
        if not ids:
            raise CommandError("Name letters by id, or say --all. `deadletters list` shows them.")
        return ids


def _add_action(parser: CommandParser) -> None:
    parser.add_argument("ids", type=int, nargs="*")
    parser.add_argument("--all", action="store_true", help="every waiting letter")
    parser.add_argument("--by", default=getpass.getuser())
    parser.add_argument("--note", default="")
