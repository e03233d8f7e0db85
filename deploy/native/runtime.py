"""The native stack, as `deploy/souk` sees it."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from native import home, ports, postgres, processes, programs, run, stack, supervisor, variables
from native.layout import Layout
from souk import commands, sql
from souk.checkout import PYTHON, REPOSITORY, SERVICES
from souk.console import CommandError, duration, log_step, show_status
from souk.files import locked, write_file
from souk.runtime import DatabaseClient


class NativeRuntime:
    """The processes of one state folder, settled where it is now."""

    name = "native"

    def __init__(self, layout: Layout) -> None:
        home.settle(layout)
        self.layout = layout
        self.secrets_file = str(layout.env / "ops.env")

    def up(self) -> bool:
        home.check_usable(self.layout)
        with locked(self.layout.state):
            if not self.is_running():
                chosen = stack.start_servers(self.layout)
            elif self._log_what_is_down():
                chosen = ports.recorded(self.layout)
                supervisor.start_programs(self.layout, programs.SERVERS)
                stack.wait_for_servers(self.layout, chosen)
            else:
                return False
            stack.prepare_services(self.layout, chosen)
            stack.start_services(self.layout, chosen)
        return True

    def _log_what_is_down(self) -> bool:
        """Name what has ended or is not ready in a running stack. Returns whether anything is."""
        programs_of = supervisor.processes_of(self.layout)
        well = {each.name for each in programs_of if each.state in ("RUNNING", "STARTING")}
        # As a restore leaves the services: nobody needs to be told.
        stopped = {each.name for each in programs_of if each.state == "STOPPED"}
        wrong = [
            f"{each.name} was {each.state}: starting it"
            for each in programs_of
            if each.name not in well | stopped
        ]
        for name, found in stack.findings(ports.recorded(self.layout)).items():
            if found.not_ready and not stopped & {name, f"{name}-web"}:
                wrong.append(f"{name} is not ready: {found.not_ready}")
        for text in wrong:
            log_step(text)
        return bool(wrong or stopped)

    def down(self) -> bool:
        if not self.layout.state.exists():
            return False
        with locked(self.layout.state):
            ran = self.is_running()
            if ran:
                self._stop_in_order()
            left = processes.end(self.layout)  # among them Erlang's port mapper
            if left and not ran:
                log_step(f"ended {left} processes that nobody watched any more")
        return ran or bool(left)

    def _stop_in_order(self) -> None:
        """The services first, so that they can give back what they hold; the servers last."""
        names = {each.name for each in supervisor.processes_of(self.layout)}
        # A relay that loses its database first would end with an error instead of its last batch.
        supervisor.stop_programs(self.layout, names - programs.SERVERS)
        log_step("services have stopped")
        supervisor.stop_programs(self.layout, names & programs.SERVERS)
        supervisor.shut_down(self.layout)

    def reset(self) -> None:
        self.down()
        if self.layout.state.exists():
            for folder in (postgres.data(self.layout), self.layout.run, self.layout.state):
                shutil.rmtree(folder, ignore_errors=True)

    erase = reset

    def is_running(self) -> bool:
        return supervisor.answers(self.layout)

    def address(self) -> str:
        return self.layout.address.read_text().strip()

    def mail_address(self) -> str:
        port = ports.recorded(self.layout).get("mail_page")
        return variables.base_url(port) if port else ""

    def status(self) -> bool:
        layout = self.layout
        if not self.is_running():
            left = len(processes.of_stack(layout)) if layout.state.exists() else 0
            rest = f", but {left} of its processes are left: `make down` ends them" if left else ""
            print(f"Souk is down{rest}.")
            return False
        found = supervisor.processes_of(layout)
        findings = stack.findings(ports.recorded(layout))
        places = f"mails: {self.mail_address()}   logs: {layout.log}   data: {layout.state}"
        footer = f"{self.address()}   {places}"
        show_status(_process_table(found), findings, footer)
        runs = all(each.state == "RUNNING" for each in found)
        return runs and all(each.is_well for each in findings.values())

    def logs(self, process: str) -> int:
        found = sorted(self.layout.log.glob("*.log"))
        wanted = [path for path in found if process in ("", path.stem)]
        if not wanted:
            names = ", ".join(path.stem for path in found) or "none"
            raise CommandError(f"there is no log of {process or 'anything'}; there are: {names}")
        return subprocess.run(["tail", "-n", "50", "-F", *map(str, wanted)], check=False).returncode

    def scale(self, service: str, process: str, count: int) -> None:
        raise CommandError(
            "natively a service has one process of each kind: WEB_PROCESSES and WEB_THREADS"
            " in .env, or RUNTIME=compose"
        )

    def run(self, owner: str, words: Sequence[str]) -> int:
        run.become(self.layout, owner, words)

    def manage(self, service: str, words: Sequence[str]) -> int:
        environment = run.environment(self.layout, service)
        command = [str(PYTHON), "manage.py", *words]
        where = run.folder(service)
        return subprocess.run(command, cwd=where, env=environment, check=False).returncode

    def run_tool(self, tool: str, words: Sequence[str]) -> int:
        run.become(self.layout, "ops", [str(PYTHON), str(REPOSITORY / "tools" / tool), *words])

    def suite_variables(self) -> dict[str, str]:
        return {**run.environment(self.layout, "ops"), "RUNTIME": "native"}

    def has_data(self) -> bool:
        return self.layout.state.exists() and postgres.data(self.layout).exists()

    def postgresql_major(self) -> int:
        program = postgres.programs(self.layout) / "pg_restore"
        return sql.major_version(commands.run_checked("pg_restore", [program, "--version"]))

    def client(self, service: str) -> DatabaseClient:
        port = str(ports.recorded(self.layout)["postgres"])
        options = ("-h", variables.HOST, "-p", port, "-U", postgres.SUPERUSER)
        password = {"PGPASSWORD": self.layout.secret("postgres-postgres")}
        return DatabaseClient((), f"{postgres.programs(self.layout)}/", options, password)

    def secrets(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.layout.secrets.iterdir()}

    def put_secrets(self, secrets: Mapping[str, str]) -> None:
        self.layout.make()
        for name, value in secrets.items():
            if Path(name).name != name:
                raise CommandError(f"the backup names a secret {name!r}, no file name of ours")
            write_file(self.layout.secrets / name, value)

    @contextmanager
    def empty_databases(self) -> Iterator[None]:
        """The broker runs too, and has no queue yet; `up` starts the rest."""
        with locked(self.layout.state):
            stack.start_servers(self.layout)
            for service in SERVICES:
                sql.make_database(self.client(service), service)
            yield


def _process_table(found: Sequence[supervisor.Process]) -> list[list[object]]:
    living, total = processes.living(), 0
    rows: list[list[object]] = [["process", "state", "pid", "uptime", "memory", ""]]
    for process in sorted(found, key=lambda each: each.name):
        runs = bool(process.pid)
        used = processes.memory(processes.descendants([process.pid], living)) if runs else 0
        total += used
        uptime = duration(time.time() - process.started) if runs else "-"
        note = "" if process.state == "RUNNING" else process.note
        pid = process.pid or "-"
        rows.append([process.name, process.state, pid, uptime, _mebibytes(used), note])
    return [*rows, ["all", "", "", "", _mebibytes(total), ""]]


def _mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.0f} MiB"
