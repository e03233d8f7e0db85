"""A native stack, as backup and restore see it."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backup.shop import Client, major
from native import environment, files, packages, ports, postgres, run, stack, supervisor, variables
from native.errors import Cannot
from native.layout import REPOSITORY, Layout
from native.secret_store import secret


class NativeShop:
    name = "native"

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        return supervisor.answers(self._layout)

    def has_data(self) -> bool:
        return self._layout.state.exists() and postgres.data(self._layout).exists()

    def postgresql_major(self) -> int:
        program = f"{postgres.programs(self._layout)}/pg_restore"
        return major(
            subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        )

    def client(self, _service: str) -> Client:
        port = ports.recorded(self._layout)["postgres"]
        return Client(
            before=(),
            options=("-h", variables.HOST, "-p", str(port), "-U", postgres.SUPERUSER),
            variables={"PGPASSWORD": secret(self._layout, "postgres-postgres")},
            folder=f"{postgres.programs(self._layout)}/",
        )

    def secrets(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self._layout.secrets.iterdir()}

    def erase(self) -> None:
        stack.wipe(self._layout)

    def put_secrets(self, secrets: Mapping[str, str]) -> None:
        packages.ensure()
        environment.ensure()
        self._layout.make()
        for name, value in secrets.items():
            if Path(name).name != name:
                raise Cannot(f"the backup names a secret {name!r}, which is no file name of ours")
            files.write(self._layout.secrets / name, value)
        # The account of the first member of staff is in the backup.
        (self._layout.state / "staff-made").touch()

    @contextmanager
    def empty_databases(self) -> Iterator[None]:
        chosen = ports.choose(self._layout)
        postgres.prepare(self._layout, chosen, forgetful=False)
        with (self._layout.log / "postgres.log").open("a") as log:
            server = subprocess.Popen(
                postgres.command(self._layout), stderr=log, cwd="/", **postgres.identity()
            )
        try:
            postgres.wait(self._layout, chosen)
            postgres.make_databases(self._layout, chosen)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)

    def up(self) -> None:
        stack.up(self._layout)

    def audit(self) -> int:
        command = [str(environment.PYTHON), str(REPOSITORY / "tools" / "audit")]
        return subprocess.run(command, env=run.environment(self._layout, "ops"), check=False).returncode
