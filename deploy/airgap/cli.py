"""The commands of `python3 deploy/airgap`."""

import argparse
import subprocess

from airgap import daemon, engine, images
from souk.console import exit_code

Options = argparse.Namespace


def main() -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args()
    return exit_code(lambda: options.command(options))


def _parser() -> argparse.ArgumentParser:
    text = "Docker and the base images, from Debian's packages alone."
    parser = argparse.ArgumentParser(prog="deploy/airgap", description=text)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = commands.add_parser("engine", help="see that Docker answers, with compose and buildx")
    sub.add_argument("--stop", action="store_true", help="end the dockerd that this has started")
    sub.set_defaults(command=make_engine)
    sub = commands.add_parser("images", help="build stand-ins for the official images, for .env")
    sub.add_argument("--force", action="store_true", help="build all, with today's packages")
    sub.set_defaults(command=make_images)
    return parser


def make_engine(options: Options) -> None:
    if options.stop:
        ended = daemon.stop()
        print("dockerd has ended." if ended else "There is no dockerd that this has started.")
        return
    nothing = "Docker was ready: engine, compose and buildx (nothing to do)."
    print("Docker is ready." if engine.ensure() else nothing)


def make_images(options: Options) -> None:
    images.ensure(force=options.force)
    images.remember()
    subprocess.run(["docker", "image", "ls", "souk-airgap/*"], check=False)
