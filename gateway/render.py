"""Renders the nginx templates: `python3 gateway/render.py OUTDIR`, values from the environment and
defaults.env.

container-entry renders the same templates with envsubst; this is for the native stack and the
tests.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
SYNTAX = re.compile(r"[;#{}\"'\\$\n\r]")
#: In quotes, as the templates have them, a path may hold more.
SYNTAX_IN_QUOTES = re.compile(r"[\"\\$\x00-\x1f\x7f]")
PATHS = frozenset({"RUN_DIR", "KEYS_DIR", "NJS_DIR", "NJS_MODULE", "ACCESS_LOG", "ERROR_LOG"})
LONGEST_SOCKET_PATH = 107  # sockaddr_un


class CannotRender(Exception):
    """A variable is missing or unusable; the message names it and the fix."""


def defaults() -> dict[str, str]:
    """The variables of defaults.env, and where the scripts are."""
    lines = (line.strip() for line in (HERE / "defaults.env").read_text().splitlines())
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return pairs | {"NJS_DIR": str(HERE / "njs")}


def value(name: str, environment: Mapping[str, str], fallback: Mapping[str, str]) -> str:
    """One variable's text. Raises CannotRender when it is not set or would be read as nginx syntax."""
    text = environment.get(name) or fallback.get(name, "")
    if not text:
        raise CannotRender(f"{name} is not set: gateway/defaults.env says what it is")
    if (SYNTAX_IN_QUOTES if name in PATHS else SYNTAX).search(text):
        raise CannotRender(f"{name} holds a character that nginx would read as syntax: {text!r}")
    return text.replace(",", " ") if name == "GATEWAY_HOSTS" else text


def trusted_proxies(text: str) -> list[str]:
    """The addresses and networks of TRUSTED_PROXIES. Raises CannotRender when one is neither, or is
    everybody.
    """
    proxies = [] if text == "none" else text.replace(",", " ").split()
    for proxy in proxies:
        try:
            is_everybody = ipaddress.ip_network(proxy).prefixlen == 0
        except ValueError:
            raise CannotRender(
                f"TRUSTED_PROXIES names {proxy!r}, which is no address and no network"
            ) from None
        if is_everybody:
            raise CannotRender(f"TRUSTED_PROXIES names {proxy!r}, which is everybody")
    return proxies


def check_hold(text: str) -> None:
    """Raises CannotRender when HOLD_SECONDS is no digit: retry.conf makes a range of digits of it."""
    if not re.fullmatch("[0-9]", text):
        raise CannotRender(f"HOLD_SECONDS is a whole number from 0 to 9, not {text!r}")


def render(directory: Path, environment: Mapping[str, str]) -> None:
    """Writes every template to `directory` and makes the folders nginx needs."""
    fallback = defaults() | {"RUN_DIR": str(directory)}
    run_directory = Path(value("RUN_DIR", environment, fallback)).resolve()
    if len(str(run_directory / "verifier.sock")) > LONGEST_SOCKET_PATH:
        raise CannotRender(f"RUN_DIR is too long for a socket's path: {run_directory}")
    check_hold(value("HOLD_SECONDS", environment, fallback))
    known = {**environment, "RUN_DIR": str(run_directory)}
    fallback["KEYS_DIR"] = str(run_directory / "keys")
    texts = {
        template.name.removesuffix(".template"): VARIABLE.sub(
            lambda found: value(found[1], known, fallback), template.read_text()
        )
        for template in sorted((HERE / "templates").glob("*.template"))
    }
    texts["real_ip.conf"] += "".join(
        f"set_real_ip_from {proxy};\n"
        for proxy in trusted_proxies(value("TRUSTED_PROXIES", known, fallback))
    )
    run_directory.mkdir(parents=True, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_text(text)


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python3 gateway/render.py OUTDIR\n")
        return 2
    try:
        render(Path(sys.argv[1]).resolve(), os.environ)
    except CannotRender as problem:
        sys.stderr.write(f"gateway: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
