"""The servers of Debian's packages: where they are, and installing them when we may."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from souk import commands
from souk.console import CommandError, log_step

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST_POSTGRESQL = 15
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NJS_MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
#: Debian's: whether a package's service may start (policy-rc.d), and whether a cluster is made.
POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/souk.conf")
# Packages with a service of their own; package and service have the same name.
SERVICES = frozenset({"rabbitmq-server", "redis-server", "nginx", "postgresql"})


def find_program(name: str) -> str | None:
    """Return a program's path; /usr/sbin counts for those too who do not have it on their PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}")


def program(name: str) -> str:
    """Return a program's path.

    Raises:
        CommandError: it is missing.
    """
    found = find_program(name)
    if not found:
        raise CommandError(f"{name} is missing: run `make up`, which installs it or says how")
    return found


def postgresql_bin(wanted_major: int | None = None) -> Path | None:
    """Return the folder of PostgreSQL's server programs: the newest, or of one major version."""
    found = {
        int(server.parts[-3]): server.parent
        for server in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if server.parts[-3].isdigit()
    }
    majors = [
        major for major in found if major == (wanted_major or major) and major >= OLDEST_POSTGRESQL
    ]
    return found[max(majors)] if majors else None


def missing() -> list[str]:
    """Return the Debian packages that must be installed."""
    have = {
        "rabbitmq-server": RABBITMQ.exists(),
        "redis-server": find_program("redis-server"),
        "nginx": find_program("nginx"),
        "libnginx-mod-http-js": NJS_MODULE.exists(),
        "gettext-base": find_program("envsubst"),
        "postgresql": postgresql_bin(),
        "python3-venv": importlib.util.find_spec("ensurepip"),
    }
    return [name for name, present in have.items() if not present]


def ensure_installed() -> None:
    """Install what is missing, when root on a Debian machine.

    Raises:
        CommandError: something is missing; says what to run, or why it could not be installed.
    """
    names = missing()
    if not names:
        return
    if os.geteuid() != 0 or not find_program("apt-get"):
        line = f"sudo apt-get install --no-install-recommends {' '.join(names)}"
        raise CommandError(f"missing: {', '.join(names)}. Run: {line}")
    log_step(f"installing {', '.join(names)}")
    with _asleep():
        install(*names)
    # What we installed does not start at the next boot either: Souk starts its own.
    for name in SERVICES.intersection(names):
        subprocess.run(["update-rc.d", name, "disable"], capture_output=True, check=False)
    if still := missing():
        raise CommandError(f"apt-get ended well, and yet there is no {', '.join(still)}")


def install(*names: str) -> None:
    """Install packages of this machine's own release.

    Raises:
        CommandError: apt could not; says why.
    """
    apt("update")
    apt("install", "-y", "--no-install-recommends", *names)


def apt(*words: str, folder: Path | None = None) -> None:
    """Run apt-get, which asks nothing, and waits for others that use it.

    Raises:
        CommandError: it failed; says why.
    """
    options = ["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    commands.run_checked("apt-get", ["apt-get", *options, *words], folder=folder, variables=quiet)


@contextmanager
def _asleep() -> Iterator[None]:
    """Keep packages' own services from starting, and PostgreSQL's cluster from being made."""
    kept = POLICY.with_name("policy-rc.d.before-souk")
    if POLICY.exists():
        POLICY.rename(kept)
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        NO_CLUSTER.unlink()
        POLICY.unlink()
        if kept.exists():
            kept.rename(POLICY)
