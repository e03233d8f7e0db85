import getpass
import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit.messaging import dead_letters
from servicekit.messaging.publisher import Publisher, PublishingFailed
from servicekit.messaging.router import service_router
from servicekit.models import DeadLetter


class Command(BaseCommand):
    help = "Look at the messages that could not be handled; send them back or give them up. Every action is recorded."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="one line a letter")
        listing.add_argument(
            "--state", choices=DeadLetter.State.values, default=DeadLetter.State.WAITING.value
        )
        show = actions.add_parser("show", help="one letter, whole")
        show.add_argument("id", type=int)
        for name, text in (("redrive", "send letters back to their queues"), ("discard", "give letters up")):
            action = actions.add_parser(name, help=text)
            action.add_argument("ids", type=int, nargs="*")
            action.add_argument("--all", action="store_true", help="every waiting letter")
            action.add_argument("--by", default=getpass.getuser())
            action.add_argument("--note", default="")

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
        for one in letters:
            at = one.received_at.isoformat(timespec="seconds")
            self.stdout.write(
                f"{one.pk:>6}  {at}  {one.queue:<18} {one.reason:<30} {one.type}  {one.event_id or ''}"
            )
        hint = " `deadletters show ID` shows one." if letters else ""
        self.stdout.write(f"{len(letters)} {state}.{hint}")

    def _show(self, *, id: int, **_options: Any) -> None:
        letter = DeadLetter.objects.filter(pk=id).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {id}. `deadletters list` shows what is.")
        names = ("queue", "type", "event_id", "reason", "detail", "state", "received_at", "content_type")
        for name in names:
            self.stdout.write(f"{name:<13}{getattr(letter, name)}")
        self.stdout.write(f"{'headers':<13}{json.dumps(letter.headers, indent=2)}")
        self.stdout.write(f"{'body':<13}{bytes(letter.body)[:4000].decode('utf-8', 'backslashreplace')}")
        for one in letter.actions.all():
            self.stdout.write(f"{one.at.isoformat(timespec='seconds')}  {one.action} by {one.by}  {one.note}")

    def _redrive(self, *, by: str, note: str, **options: Any) -> None:
        publisher = Publisher(settings.BROKER_URL)
        ids = self._ids(**options)
        sent = 0
        for start in range(0, len(ids), 100):
            part = ids[start : start + 100]
            sent += dead_letters.redrive(
                letter_ids=part, publisher=publisher, service=service_router().service, by=by, note=note
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
            ids = list(DeadLetter.objects.filter(state=DeadLetter.State.WAITING).values_list("pk", flat=True))
        if not ids and not all:
            raise CommandError("Name letters by id, or say --all. `deadletters list` shows what is waiting.")
        return ids
