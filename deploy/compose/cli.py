"""The commands of `python3 deploy/compose`; deploy/native has the same ones, and the Makefile's targets call either."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from backup import commands
from backup.compose_shop import ComposeShop
from compose import cis, engine, project, stack, status
from native import environment, suite, welcome
from native.errors import Cannot
from native.layout import SERVICES, current
from native.progress import say

Options = argparse.Namespace


def main() -> int:
    """Runs one command. Returns the exit code."""
    options = _parser().parse_args()
    try:
        project.settle()
        if options.command is not make_env:
            engine.need()
        return int(options.command(options) or 0)
    except Cannot as reason:
        sys.stderr.write(f"souk: {reason}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/compose", description="Souk in containers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Options], int | None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(command=command)
        return sub

    add("env", make_env, "write what is missing into .env, secrets first; start nothing")
    add("up", up, "build, start what is not running, wait until everything is healthy")
    add("down", down, "stop everything, keep the data")
    add("reset", reset, "stop everything and delete the data and the secrets")
    add("status", lambda _: 0 if status.show() else 1, "every container, and whether it is healthy")
    add("logs", logs, "follow the logs").add_argument("process", nargs="?", default="")
    for name, text in (("deadletters", "messages not handled"), ("outbox", "events not published")):
        waiting = add(name, ask_services, f"{text}: of one service, or of each")
        waiting.set_defaults(management_command=name)
        waiting.add_argument("service", choices=[*SERVICES, "all"])
        waiting.add_argument("words", nargs=argparse.REMAINDER, help="for the command (default: list)")
    runner = add("run", run, "run a command in a service's web container")
    runner.add_argument("name", choices=SERVICES)
    runner.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    for name in ("demo", "audit"):
        tool = add(name, ops_tool, f"run {name} inside the shop's networks")
        tool.set_defaults(tool=name)
        tool.add_argument("words", nargs=argparse.REMAINDER)
    for name in ("e2e", "containers"):
        sub = add(name, against_running, f"the {name} suite against what is up")
        sub.set_defaults(suite=name)
        sub.add_argument("words", nargs=argparse.REMAINDER, help="more words for pytest")
    _add_backup(add)
    scaler = add("scale", scale, "run more containers of a process, or fewer")
    scaler.add_argument("service", choices=SERVICES)
    scaler.add_argument("process")
    scaler.add_argument("count", type=int)
    add("faults", no_faults, "only natively").add_argument("words", nargs=argparse.REMAINDER)
    add("cis", lambda _: 0 if cis.show() else 1, "check every container against the CIS Docker Benchmark")
    add("bench", no_bench, "only natively").add_argument("words", nargs=argparse.REMAINDER)
    return parser


def _add_backup(add: Callable[..., argparse.ArgumentParser]) -> None:
    saver = add("backup", back_up, "write databases and secrets into one file")
    saver.add_argument("file", nargs="?", type=Path, help="default: backups/souk-TIME.tar")
    restorer = add("restore", restore, "bring the shop up as it was at a backup, and audit it")
    restorer.add_argument("file", type=Path)
    restorer.add_argument("--replace", action="store_true", help="delete the data that are there")


def make_env(_: Options) -> None:
    stack.prepare_environment()
    print(".env is complete: `docker compose up --build --wait`, or `make up RUNTIME=compose`")


def up(_: Options) -> None:
    acted = stack.up()
    address = stack.remember_address(current())
    if not acted:
        print(f"Souk is up already: {address} (nothing to do)")
        return
    say("everything is healthy")
    print(welcome.text(address, ".env"))


def down(_: Options) -> None:
    ran = bool(engine.containers())
    engine.compose("--profile", "ops", "down", "--remove-orphans")
    print("Souk is down; its data stays." if ran else "Souk was not up.")


def reset(_: Options) -> None:
    """The volumes, and the secrets that belong to them; what a person has set in .env stays."""
    engine.compose("--profile", "ops", "down", "--remove-orphans", "--volumes")
    stack.forget_secrets()
    print("Souk is down, its data and secrets are deleted.")


def logs(options: Options) -> int:
    words = [options.process] if options.process else []
    return engine.compose("logs", "--follow", "--tail", "50", *words, check=False)


def _plain(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == ["--"] else words


def _terminal() -> list[str]:
    """compose wants a terminal unless it is told otherwise."""
    return [] if sys.stdin.isatty() and sys.stdout.isatty() else ["-T"]


def run(options: Options) -> int:
    words = _plain(options.words) or ["python", "manage.py", "shell"]
    return engine.compose("exec", *_terminal(), f"{options.name}-web", *words, check=False)


def ask_services(options: Options) -> int:
    words = _plain(options.words) or ["list"]
    code = 0
    for name in SERVICES if options.service == "all" else [options.service]:
        sys.stderr.write(f"{name}:\n")
        command = ("python", "manage.py", options.management_command, *words)
        code = max(code, engine.compose("exec", "-T", f"{name}-web", *command, check=False))
    return code


def ops_tool(options: Options) -> int:
    """A file that the words name is handed in; so is what may be set by a variable."""
    words, mounts = _with_files(_plain(options.words))
    stack.address()
    engine.compose("--profile", "ops", "build", "--quiet", "ops")
    return engine.compose(
        "run", "--rm", *_terminal(), *mounts, "ops", f"tools/{options.tool}", *words, check=False
    )


def _with_files(words: list[str]) -> tuple[list[str], list[str]]:
    """The words as the container sees them, and the mounts for it: --file /home/ada/week.csv is /data/week.csv in there."""
    seen, mounts = [], []
    for before, word in zip(["", *words], words, strict=False):
        if before == "--file" and Path(word).exists():
            inside = f"/data/{Path(word).name}"
            if ":" in str(Path(word).resolve()):
                raise Cannot(f"{word}: Docker cannot hand in a file with a colon in its path")
            mounts += ["--volume", f"{Path(word).resolve()}:{inside}:ro"]
            word = inside
        seen.append(word)
    return seen, mounts


def against_running(options: Options) -> int:
    environment.ensure()
    values = stack.environment()
    variables = {
        **os.environ,
        "RUNTIME": "compose",
        "GATEWAY_URL": stack.address(),
        "STAFF_EMAIL": values["STAFF_EMAIL"],
        "STAFF_PASSWORD": values["STAFF_PASSWORD"],
    }
    return 0 if suite.one(options.suite, variables, _plain(options.words)) else 1


def back_up(options: Options) -> None:
    made = commands.backup(ComposeShop(), options.file)
    print(
        f"{made} holds the data and the secrets, which are not encrypted: keep it where only you can read it."
    )


def restore(options: Options) -> int:
    return commands.restore(ComposeShop(), options.file, replace=options.replace)


def scale(options: Options) -> None:
    stack.scale(options.service, options.process, options.count)
    print(f"{options.count} of {options.service}-{options.process} run; .env remembers it")


def no_faults(_: Options) -> None:
    raise Cannot("the faults of containers are in another suite: `make containers`")


def no_bench(_: Options) -> None:
    raise Cannot(
        "the benchmarks compare processes of this machine: `make up RUNTIME=native`, then `make bench RUNTIME=native`"
    )
