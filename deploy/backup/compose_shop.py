"""A shop in containers, as backup and restore see it: PostgreSQL's programs are those of the databases' own containers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from backup import sql
from backup.shop import Client, major
from compose import dotenv, engine, first_values, stack
from native.layout import SERVICES

DATABASES = tuple(f"{service}-db" for service in SERVICES)
MAKE = "CREATE ROLE {name} LOGIN;"


class ComposeShop:
    name = "compose"

    def is_running(self) -> bool:
        return bool(stack.running())

    def has_data(self) -> bool:
        return bool(engine.volumes())

    def postgresql_major(self) -> int:
        words = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "pg_restore", DATABASES[0], "--version")
        return major(engine.output(*words))

    def client(self, service: str) -> Client:
        return Client(
            before=tuple(engine.compose_command("exec", "-T", f"{service}-db")), options=("-U", "postgres")
        )

    def secrets(self) -> dict[str, str]:
        known = stack.environment()
        return {name: known[name] for name in first_values.SECRETS}

    def erase(self) -> None:
        engine.compose("--profile", "ops", "down", "--remove-orphans", "--volumes")

    def put_secrets(self, secrets: Mapping[str, str]) -> None:
        dotenv.remember(secrets)
        stack.prepare_environment()

    @contextmanager
    def empty_databases(self) -> Iterator[None]:
        """Roles without a password, which *-migrate sets; no connection can come in meanwhile, since nothing else runs."""
        engine.compose("up", "--detach", "--wait", *DATABASES)
        for service in SERVICES:
            client = self.client(service)
            sql.run(client, "postgres", MAKE.format(name=service))
            with sql.Session(client, "postgres") as session:  # outside of a transaction
                session.ask(f"CREATE DATABASE {service} OWNER {service}")
        yield

    def up(self) -> None:
        stack.up()

    def audit(self) -> int:
        engine.compose("--profile", "ops", "build", "--quiet", "ops")
        return engine.compose("run", "--rm", "-T", "ops", "tools/audit", check=False)
