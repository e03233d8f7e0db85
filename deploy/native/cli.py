"""The commands of `python3 deploy/native`; the Makefile's targets call them."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from backup import commands
from backup.native_shop import NativeShop
from native import (
    documents,
    environment,
    files,
    home,
    lint,
    packages,
    run,
    stack,
    status,
    suite,
    supervisor,
    testservers,
    welcome,
)
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, Layout, current
from native.progress import say


def main() -> int:
    """Runs one command. Returns the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        return int(options.command(options) or 0)
    except Cannot as reason:
        sys.stderr.write(f"souk: {reason}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends us like Ctrl-C: what we started for a while is taken down again."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/native", description="Souk without containers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(command=command)
        return sub

    add("up", up, "start what is not running, wait until everything is ready")
    add("down", down, "stop everything, keep the data")
    add("reset", reset, "stop everything and delete the data")
    add("status", show_status, "every process, and whether each service is ready")
    add("bootstrap", bootstrap, "install what is missing, start nothing")
    add("env", show_environment, "where the running stack is, as shell variables; no secret among them")
    add("logs", logs, "follow the logs").add_argument("process", nargs="?", default="")
    runner = add("run", run_command, "run a command with the variables of a service, or of ops")
    runner.add_argument("name", help=f"{', '.join(SERVICES)}, gateway, rabbitmq or ops")
    runner.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="default: a Python shell")
    for name in ("demo", "audit", "bench"):
        tool = add(name, ops_tool, f"run deploy/{name} with the variables of ops")
        tool.set_defaults(tool=name)
        tool.add_argument("words", nargs=argparse.REMAINDER)
    saver = add("backup", back_up, "write databases and secrets into one file")
    saver.add_argument("file", nargs="?", type=Path, help="default: backups/souk-TIME.tar")
    restorer = add("restore", restore, "bring the shop up as it was at a backup, and audit it")
    restorer.add_argument("file", type=Path)
    restorer.add_argument("--replace", action="store_true", help="delete the data that are there")
    scaler = add("scale", no_scale, "only in containers")
    scaler.add_argument("words", nargs=argparse.REMAINDER)
    tests = add("test-env", test_environment, "start test servers, print the variables that tests read")
    tests.add_argument(
        "--dir", type=Path, help="their folder (default: one per checkout in the temporary folder)"
    )
    tests.add_argument("--stop", action="store_true", help="end them and delete their folder")
    _add_checks(add)
    return parser


def _add_checks(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("test", test, "all tests, or some parts").add_argument("parts", nargs="*")
    add("lint", check, "all checks, or those whose name begins so").add_argument("names", nargs="*")
    for name, text in (
        ("e2e", "the end-to-end suite"),
        ("faults", "the fault suite"),
        ("fuzz", "the fuzzer"),
    ):
        sub = add(name, against_running, f"{text} against what is up")
        sub.set_defaults(suite=name)
        sub.add_argument("words", nargs=argparse.REMAINDER, help="more words for pytest")
    writer = add("documents", write_documents, "write OpenAPI or AsyncAPI documents from the code")
    writer.add_argument("kind", choices=["openapi", "events"])
    writer.add_argument("--check", action="store_true", help="write nothing, fail if they would change")
    add("requirements", lock, "lock the packages again and export the hashed requirement files")
    for name, text in (("deadletters", "messages not handled"), ("outbox", "events not published")):
        waiting = add(name, ask_services, f"{text}: of one service, or of each")
        waiting.set_defaults(management_command=name)
        waiting.add_argument("service", choices=[*SERVICES, "all"])
        waiting.add_argument("words", nargs=argparse.REMAINDER, help="for the command (default: list)")


def settled() -> Layout:
    """The stack of this checkout, at home here."""
    layout = current()
    home.settle(layout)
    return layout


def bootstrap(_: argparse.Namespace) -> None:
    packages.ensure()
    environment.ensure()


def up(_: argparse.Namespace) -> None:
    layout = settled()
    acted = stack.up(layout)
    address = layout.address.read_text().strip()
    if not acted:
        print(f"Souk is up already: {address} (nothing to do)")
        return
    say("everything is ready")
    print(welcome.text(address, str(layout.env / "ops.env")))


def down(_: argparse.Namespace) -> None:
    print("Souk is down; its data stays." if stack.down(settled()) else "Souk was not up.")


def reset(_: argparse.Namespace) -> None:
    stack.wipe(settled())
    print("Souk is down, its data and secrets are deleted.")


def show_status(_: argparse.Namespace) -> int:
    return 0 if status.show(settled()) else 1


def show_environment(_: argparse.Namespace) -> None:
    layout = settled()
    known = files.read_variables(layout.env / "ops.env")
    for name in ("SOUK_STATE_DIR", "GATEWAY_URL", *(f"{service.upper()}_URL" for service in SERVICES)):
        print(f"export {name}={known.get(name, '')}")


def logs(options: argparse.Namespace) -> int:
    folder = settled().log
    found = [folder / f"{options.process}.log"] if options.process else sorted(folder.glob("*.log"))
    if not all(path.exists() for path in found) or not found:
        names = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        raise Cannot(f"there is no log of {options.process or 'anything'}; there are: {names or 'none'}")
    return subprocess.run(["tail", "-n", "50", "-F", *map(str, found)], check=False).returncode


def plain(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == ["--"] else words


def run_command(options: argparse.Namespace) -> None:
    words = plain(options.words) or ["python", "manage.py", "shell"]
    run.become(settled(), options.name, words)


def ops_tool(options: argparse.Namespace) -> None:
    layout = settled()
    if not supervisor.answers(layout):
        raise Cannot("Souk is down: `make up` first")
    run.become(layout, "ops", ["python", str(REPOSITORY / "tools" / options.tool), *plain(options.words)])


def back_up(options: argparse.Namespace) -> None:
    made = commands.backup(NativeShop(settled()), options.file)
    print(
        f"{made} holds the data and the secrets, which are not encrypted: keep it where only you can read it."
    )


def restore(options: argparse.Namespace) -> int:
    return commands.restore(NativeShop(settled()), options.file, replace=options.replace)


def no_scale(_: argparse.Namespace) -> None:
    raise Cannot(
        "natively a service has one process of each kind: WEB_PROCESSES and WEB_THREADS in .env, or RUNTIME=compose"
    )


def test_environment(options: argparse.Namespace) -> None:
    layout = Layout(options.dir.resolve()) if options.dir else testservers.default_layout()
    if options.stop:
        testservers.end(layout)
        return
    for name, value in testservers.start(layout).items():
        print(f"export {name}={value}")


def test(options: argparse.Namespace) -> int:
    return 0 if suite.everything(options.parts) else 1


def check(options: argparse.Namespace) -> int:
    return 0 if lint.everything(options.names) else 1


def write_documents(options: argparse.Namespace) -> int:
    environment.ensure()
    write = documents.openapi if options.kind == "openapi" else documents.events
    return 0 if write(check=options.check) else 1


def lock(_: argparse.Namespace) -> None:
    documents.requirements()


def against_running(options: argparse.Namespace) -> int:
    return 0 if suite.against_running(settled(), options.suite, plain(options.words)) else 1


def ask_services(options: argparse.Namespace) -> int:
    layout = settled()
    if not supervisor.answers(layout):
        raise Cannot("Souk is down: `make up` first")
    code = 0
    for name in SERVICES if options.service == "all" else [options.service]:
        sys.stderr.write(f"{name}:\n")
        command = [
            str(environment.PYTHON),
            "manage.py",
            options.management_command,
            *(plain(options.words) or ["list"]),
        ]
        folder = REPOSITORY / "services" / name
        done = subprocess.run(command, cwd=folder, env=run.environment(layout, name), check=False)
        code = max(code, done.returncode)
    return code
