"""The servers of Debian's packages: where they are, and installing them when we may."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from native import commands
from native.errors import Cannot
from native.progress import say

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST_POSTGRESQL = 15
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NJS_MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/souk.conf")
# Packages with a service of their own; package and service have the same name.
SERVICES = frozenset({"rabbitmq-server", "redis-server", "nginx", "postgresql"})


def program(name: str) -> str:
    """The path of a program; /usr/sbin counts also for those who do not have it on their PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}")
    if not found:
        raise Cannot(f"{name} is missing: run `make up`, which installs it or says how")
    return found


def postgresql_bin(wanted_major: int | None = None) -> Path | None:
    """The folder of PostgreSQL's server programs: the newest, or those of one major version."""
    found = {
        int(server.parts[-3]): server.parent
        for server in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if server.parts[-3].isdigit()
    }
    majors = [major for major in found if major == (wanted_major or major) and major >= OLDEST_POSTGRESQL]
    return found[max(majors)] if majors else None


def missing() -> list[str]:
    """The Debian packages that must be installed."""
    have = {
        "rabbitmq-server": RABBITMQ.exists(),
        "redis-server": _has("redis-server"),
        "nginx": _has("nginx"),
        "libnginx-mod-http-js": NJS_MODULE.exists(),
        "postgresql": postgresql_bin() is not None,
        "python3-venv": _can_make_environments(),
    }
    return [name for name, present in have.items() if not present]


def _has(name: str) -> bool:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}") is not None


def _can_make_environments() -> bool:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        return False
    return True


def ensure() -> None:
    """Installs what is missing, when root on a Debian machine; else says what to run.

    Raises:
        Cannot: something is missing and may not be installed by us, or could not be.
    """
    names = missing()
    if not names:
        return
    if os.geteuid() != 0 or not _has("apt-get"):
        raise Cannot(
            f"missing: {', '.join(names)}. Run: sudo apt-get install --no-install-recommends {' '.join(names)}"
        )
    say(f"installing {', '.join(names)}")
    with _asleep():
        install(*names)
    _keep_asleep(names)
    if still := missing():
        raise Cannot(f"apt-get ended well, and yet there is no {', '.join(still)}")


def install(*names: str) -> None:
    """Installs packages of this machine's own release.

    Raises:
        Cannot: apt could not; says why.
    """
    apt("update")
    apt("install", "-y", "--no-install-recommends", *names)


def apt(*words: str, folder: Path | None = None) -> None:
    """Runs apt-get, which asks nothing, and waits for others that use it.

    Raises:
        Cannot: it failed; says why.
    """
    command = ["apt-get", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300", *words]
    commands.must("apt-get", command, folder=folder, variables={"DEBIAN_FRONTEND": "noninteractive"})


@contextmanager
def _asleep() -> Iterator[None]:
    """While it lasts, a package's own service is neither started nor restarted, and no PostgreSQL cluster is made."""
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


def _keep_asleep(names: list[str]) -> None:
    """What we installed does not start at the next boot either, under systemd or without: Souk starts its own."""
    for name in SERVICES.intersection(names):
        subprocess.run(["update-rc.d", name, "disable"], capture_output=True, check=False)
