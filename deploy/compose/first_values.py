"""What `make env` writes into .env: every secret that is needed, made once."""

from collections.abc import Callable, Mapping
from pathlib import Path

from compose import project
from native import ports
from souk import dotenv
from souk.checkout import SERVICES, STAFF_EMAIL
from souk.console import CommandError
from souk.files import random_fernet_key, random_token, read_variables

TITLE = """\
# Written by `make env`; .env.example says what each variable is. These are the only copies of the
# secrets: keep a copy of this file in a safe place (docs/operations.md). Lines of your own may be
# added; `make env` changes none that has a value.
"""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
KINDS = ("POSTGRES_PASSWORD", "DB_PASSWORD", "BROKER_PASSWORD", "SECRET_KEY")
SECRETS: dict[str, Callable[[], str]] = {
    **{f"{kind}_{name.upper()}": random_token for name in SERVICES for kind in KINDS},
    "BROKER_PASSWORD_ADMIN": random_token,
    "REDIS_PASSWORD": random_token,
    "KEY_ENCRYPTION_KEY": random_fernet_key,
    "STAFF_PASSWORD": random_token,
}


def write_missing(path: Path = dotenv.PATH) -> list[str]:
    """Write what is missing. Returns the names that were written."""
    known = read_variables(path)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(TITLE)
    makers: dict[str, Callable[[], str]] = {
        **SECRETS,
        project.NAME: lambda: project.first_name(path),
        "STAFF_EMAIL": lambda: STAFF_EMAIL,
        "GATEWAY_PORT": lambda: _port(ports.PREFERRED_GATEWAY),
        "MAIL_PAGE_PORT": lambda: _port(ports.PREFERRED_MAIL_PAGE),
        "CA_BUNDLE": lambda: str(CA_BUNDLE) if CA_BUNDLE.exists() else "",
    }
    values = {name: make() for name, make in makers.items() if not known.get(name)}
    # A new .env is of a gateway that only this machine reaches.
    limits = {name: text for name, text in dotenv.LOOPBACK_LIMITS.items() if not known.get(name)}
    written = dotenv.set_values({n: text for n, text in (values | limits).items() if text}, path)
    project.stamp(path)
    return written


def _port(preferred: int) -> str:
    return str(preferred if ports.is_free(preferred) else ports.any_free(set()))


def check(values: Mapping[str, str]) -> None:
    """Refuse an environment that lacks what nothing may start without."""
    missing = [name for name in SECRETS if not values.get(name)]
    if missing:
        names = ", ".join(missing)
        raise CommandError(f".env does not say {names}: `make env` adds what is missing")


def warning(values: Mapping[str, str]) -> str:
    """Return what a person should know before others can reach the gateway; empty: nothing."""
    bind, limits = values.get("GATEWAY_BIND") or "127.0.0.1", dotenv.LOOPBACK_LIMITS
    generous = [name for name, value in limits.items() if values.get(name) == value]
    if dotenv.is_loopback(bind) or not generous:
        return ""
    return (
        f"the gateway listens on {bind}, so the limits that .env sets out of the way are those of"
        f" gateway/defaults.env: {', '.join(generous)}"
    )
