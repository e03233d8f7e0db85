"""What `make env` writes into .env: a secret for everything that needs one, made by chance once, and what suits this machine."""

from collections.abc import Callable, Mapping
from pathlib import Path

from compose import dotenv, project
from native import ports, variables
from native.errors import Cannot
from native.layout import SERVICES
from native.secret_store import fernet_key, token

TITLE = """\
# Written by `make env`; .env.example says what each variable is. These are the only copies of the secrets: keep a copy of this
# file in a safe place (docs/operations.md). Lines of your own may be added; `make env` changes none that has a value.
"""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

SECRETS: dict[str, Callable[[], str]] = {
    **{
        f"{kind}_{name.upper()}": token
        for name in SERVICES
        for kind in ("POSTGRES_PASSWORD", "DB_PASSWORD", "BROKER_PASSWORD", "SECRET_KEY")
    },
    "BROKER_PASSWORD_ADMIN": token,
    "REDIS_PASSWORD": token,
    "KEY_ENCRYPTION_KEY": fernet_key,
    "STAFF_PASSWORD": token,
}


def ensure(path: Path = dotenv.PATH) -> list[str]:
    """Writes what is missing. Returns the names that were written."""
    known = dotenv.read(path)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(TITLE)
    places = {project.NAME: lambda: project.first_name(path), **_places()}
    wanted = {name: make for name, make in {**SECRETS, **places}.items() if not known.get(name)}
    written = dotenv.remember({name: make() for name, make in wanted.items()}, path)
    project.stamp(path)
    return written


def _places() -> Mapping[str, Callable[[], str]]:
    """What is no secret. The limits are out of the way while only this machine can ask: there, everybody has one address."""
    places: dict[str, Callable[[], str]] = {
        "STAFF_EMAIL": lambda: variables.STAFF_EMAIL,
        "GATEWAY_PORT": gateway_port,
    }
    if CA_BUNDLE.exists():
        places["CA_BUNDLE"] = lambda: str(CA_BUNDLE)
    for name, value in variables.GENEROUS_LIMITS.items():
        places[name] = lambda value=value: value  # type: ignore[misc]
    return places


def gateway_port() -> str:
    """8080 if it is free, else one that is."""
    preferred = ports.PREFERRED_GATEWAY
    return str(preferred if ports.is_free(preferred) else ports.any_free(set()))


def check(values: Mapping[str, str]) -> None:
    """Raises Cannot where .env and the environment leave something out that nothing may start without."""
    missing = [name for name in SECRETS if not values.get(name)]
    if missing:
        raise Cannot(f".env does not say {', '.join(missing)}: `make env` adds what is missing")


def warnings(values: Mapping[str, str]) -> list[str]:
    """What a person should know before others can reach the gateway."""
    bind = values.get("GATEWAY_BIND") or variables.HOST
    generous = [name for name, value in variables.GENEROUS_LIMITS.items() if values.get(name) == value]
    if variables.is_loopback(bind) or not generous:
        return []
    return [
        f"the gateway listens on {bind}, so the limits that .env sets out of the way are those of gateway/defaults.env: "
        f"{', '.join(generous)}"
    ]
