"""A service's processes as in production, on a test's own database and broker, and their memory."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from servicekit.conf import kit_settings

REPOSITORY = Path(__file__).parents[4]


@contextmanager
def running_process(*words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python WORDS` as the service of this test run, for the length of the block."""
    environment = {
        **os.environ,
        "DATABASE_URL": _database_url(connection.settings_dict),
        "BROKER_URL": kit_settings.broker_url,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        **variables,
    }
    process = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def peak_memory_mib(process_id: int) -> float:
    """Return the most memory that the process has had resident, in MiB (proc(5), VmHWM)."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def container_memory_mib(size: str) -> int:
    """Return the memory limit of containers of this size (x-small, … in compose.yaml)."""
    text = (REPOSITORY / "compose.yaml").read_text(encoding="utf-8")
    return int(re.findall(rf"^x-{size}: &{size}\n.*memory: (\d+)M", text, re.MULTILINE)[0])


def _database_url(values: Mapping[str, str]) -> str:
    user, password = quote(values["USER"], safe=""), quote(values["PASSWORD"], safe="")
    return f"postgres://{user}:{password}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


def memory_of_family_mib(process_id: int) -> float:
    """Return the resident memory of the process and its children, in MiB (proc(5), Pss).

    Each page that processes share is divided among them.
    """
    children = (
        Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
    )
    return sum(_pss_mib(each) for each in [process_id, *map(int, children)])


def _pss_mib(process_id: int) -> float:
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii")
    return int(re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[0]) / 1024
