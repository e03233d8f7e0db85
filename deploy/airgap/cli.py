"""The commands of `python3 deploy/airgap`."""

import argparse
import signal
import sys
from types import FrameType

from airgap import daemon, engine, images, standins
from souk.console import CommandError

Options = argparse.Namespace


def main() -> int:
    """Runs one command. Returns the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        options.command(options)
    except CommandError as reason:
        sys.stderr.write(f"souk: {reason}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends us like Ctrl-C: a half-made base and its mounts are taken down again."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy/airgap",
        description="Docker and the base images, from Debian's packages alone.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser(
        "engine", help="make sure that a Docker engine answers, with compose and buildx"
    )
    one.add_argument(
        "--stop",
        action="store_true",
        help="end the dockerd that this command started, nothing else",
    )
    one.set_defaults(command=make_engine)
    one = commands.add_parser(
        "images", help="build stand-ins for the official images; .env names them"
    )
    one.add_argument("names", nargs="*", metavar="NAME", help=", ".join(standins.NAMES))
    one.add_argument(
        "--force",
        action="store_true",
        help="build also what has not changed, with today's packages",
    )
    one.set_defaults(command=make_images)
    return parser


def make_engine(options: Options) -> None:
    if options.stop:
        print(
            "dockerd has ended."
            if daemon.stop()
            else "There is no dockerd that this command started."
        )
        return
    acted = engine.ensure()
    print(
        "Docker is ready."
        if acted
        else "Docker was ready: engine, compose and buildx (nothing to do)."
    )


def make_images(options: Options) -> None:
    chosen = standins.chosen(options.names)
    images.ensure(chosen, force=options.force)
    images.remember(chosen)
    print(images.table(chosen))
