import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from servicekit.messaging.contracts import asyncapi_document
from servicekit.messaging.topology import Topology

REPOSITORY = Path(__file__).parents[5]


class Command(BaseCommand):
    help = "Write docs/asyncapi.json from every service's contracts and deploy/topology.json."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if it would change"
        )

    def handle(self, *, root: Path, check: bool, **_options: Any) -> None:
        topology = Topology.load(root / "deploy" / "topology.json")
        document = asyncapi_document(topology, root / "services")
        text = json.dumps(document, indent=2) + "\n"
        path = root / "docs" / "asyncapi.json"
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if not check:
            path.write_text(text, encoding="utf-8")
        elif current != text:
            raise CommandError(
                "docs/asyncapi.json is out of date. Run `manage.py export_events` and commit it."
            )
        self.stdout.write(f"{len(document['channels'])} events in docs/asyncapi.json.")
