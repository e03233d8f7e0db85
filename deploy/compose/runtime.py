"""The shop in containers, as `deploy/souk` sees it."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from compose import engine, first_values, project, stack, status
from native.layout import current
from souk import dotenv, sql
from souk.checkout import SERVICES
from souk.console import CommandError, show_status
from souk.files import write_file
from souk.runtime import DatabaseClient

DATABASES = tuple(f"{service}-db" for service in SERVICES)


class ComposeRuntime:
    """The containers of this checkout's compose project."""

    name = "compose"
    secrets_file = ".env"

    def __init__(self) -> None:
        project.settle()
        engine.check_usable()

    def up(self) -> bool:
        acted = stack.up()
        # Where people and tools look for it, whatever the runtime.
        layout = current()
        layout.state.mkdir(parents=True, exist_ok=True)
        write_file(layout.address, self.address() + "\n", mode=0o644)
        return acted

    def down(self) -> bool:
        ran = bool(engine.containers())
        engine.compose("--profile", "ops", "down", "--remove-orphans")
        return ran

    def reset(self) -> None:
        """What a person has set in .env stays; the secrets belonged to data that are gone."""
        self.erase()
        if dotenv.PATH.exists():
            dotenv.drop_values(first_values.SECRETS)

    def erase(self) -> None:
        engine.compose("--profile", "ops", "down", "--remove-orphans", "--volumes")

    def is_running(self) -> bool:
        return bool(stack.running())

    def address(self) -> str:
        return stack.address()

    def mail_address(self) -> str:
        return stack.address("mailsink", "8025")

    def status(self) -> bool:
        found = sorted(stack.shop_containers(), key=engine.label)
        if not any(each["State"]["Running"] for each in found):
            print("Souk is down.")
            return False
        findings = status.findings(found)
        volumes = f"docker volumes {project.name()}_*"
        places = f"mails: {self.mail_address()}   logs: make logs PROCESS=orders-web"
        footer = f"{self.address()}   {places}   data: {volumes}"
        show_status(status.process_table(found), findings, footer)
        return all(each.is_well for each in findings.values())

    def logs(self, process: str) -> int:
        words = [process] if process else []
        return engine.compose("logs", "--follow", "--tail", "50", *words, check=False)

    def scale(self, service: str, process: str, count: int) -> None:
        stack.scale(service, process, count)

    def run(self, owner: str, words: Sequence[str]) -> int:
        if owner not in SERVICES:
            raise CommandError(f"there is no service {owner}: {', '.join(SERVICES)}")
        return engine.compose("exec", *_terminal(), f"{owner}-web", *words, check=False)

    def manage(self, service: str, words: Sequence[str]) -> int:
        command = ("python", "manage.py", *words)
        return engine.compose("exec", "-T", f"{service}-web", *command, check=False)

    def run_tool(self, tool: str, words: Sequence[str]) -> int:
        if tool == "bench":
            raise CommandError(
                "the benchmarks compare processes of this machine: `make up RUNTIME=native`,"
                " then `make bench RUNTIME=native`"
            )
        inside, mounts = with_files(words)
        engine.compose("--profile", "ops", "build", "--quiet", "ops")
        command = ("ops", f"tools/{tool}", *inside)
        return engine.compose("run", "--rm", *_terminal(), *mounts, *command, check=False)

    def suite_variables(self) -> dict[str, str]:
        values = stack.environment()
        staff = {name: values[name] for name in ("STAFF_EMAIL", "STAFF_PASSWORD")}
        addresses = {"GATEWAY_URL": self.address(), "SOUK_MAIL_URL": self.mail_address()}
        return {**os.environ, "RUNTIME": "compose", **addresses, **staff}

    def has_data(self) -> bool:
        return bool(engine.volumes())

    def postgresql_major(self) -> int:
        words = ("--rm", "--no-deps", "-T", "--entrypoint", "pg_restore", DATABASES[0])
        return sql.major_version(engine.output("run", *words, "--version"))

    def client(self, service: str) -> DatabaseClient:
        command = engine.compose_command("exec", "-T", f"{service}-db")
        return DatabaseClient(tuple(command), "", ("-U", "postgres"))

    def secrets(self) -> dict[str, str]:
        known = stack.environment()
        return {name: known[name] for name in first_values.SECRETS}

    def put_secrets(self, secrets: Mapping[str, str]) -> None:
        dotenv.set_values(secrets)
        stack.prepare_environment()

    @contextmanager
    def empty_databases(self) -> Iterator[None]:
        engine.compose("up", "--detach", "--wait", *DATABASES)
        for service in SERVICES:
            sql.make_database(self.client(service), service)
        yield


def _terminal() -> list[str]:
    """compose wants a terminal unless it is told otherwise."""
    return [] if sys.stdin.isatty() and sys.stdout.isatty() else ["-T"]


def with_files(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words as the container sees them, and the mounts for the file that they name.

    --file /home/ada/week.csv is /data/week.csv in there.
    """
    seen, mounts = [], []
    for before, word in zip(["", *words], words, strict=False):
        if before == "--file" and Path(word).exists():
            place, inside = Path(word).resolve(), f"/data/{Path(word).name}"
            if ":" in str(place):
                reason = "Docker cannot hand in a file with a colon in its path"
                raise CommandError(f"{word}: {reason}")
            mounts += ["--volume", f"{place}:{inside}:ro"]
            word = inside
        seen.append(word)
    return seen, mounts
