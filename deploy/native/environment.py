"""The Python environment in .venv, with servicekit importable; built once per requirements.txt."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from souk import commands, files
from souk.checkout import REPOSITORY, VENV
from souk.console import CommandError, log_step

REQUIREMENTS = REPOSITORY / "requirements.txt"
STAMP = VENV / "souk.stamp"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)


def wanted() -> str:
    """Return what the environment is built from, and with."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info.major}.{sys.version_info.minor} {VENV}\n"


def ensure() -> None:
    """Build .venv unless it is what requirements.txt asks for.

    Raises:
        CommandError: this Python is too old, or a package could not be installed.
    """
    if sys.version_info < OLDEST:
        raise CommandError(f"this is Python {sys.version.split()[0]}; Souk needs 3.11 or newer")
    if STAMP.exists() and STAMP.read_text() == wanted() and PYTHON.exists():
        return
    if not PYTHON.exists() or not is_at_home() or not _runs():
        log_step("making .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        commands.run_checked("python3 -m venv", [sys.executable, "-m", "venv", str(VENV)])
    log_step("installing the Python packages of requirements.txt")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    options = ["--no-compile", "--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)]
    commands.run_checked("pip install", [*pip, *options])
    _compile()
    _make_servicekit_importable()
    STAMP.write_text(wanted())


def is_at_home(venv: Path = VENV) -> bool:
    """Whether it was made here: the programs in a copy start with the path of the original."""
    settings = files.read_variables(venv / "pyvenv.cfg")
    return settings.get("command", "").endswith(f" {venv}")


def _runs() -> bool:
    """Whether the environment's Python still is there, and of the version that runs this."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def _site_packages() -> Path:
    return next((VENV / "lib").glob("python3*")) / "site-packages"


def _compile() -> None:
    """Make byte code for all packages on all cores, which pip would make on a single core."""
    cores = str(os.cpu_count() or 1)
    command = [str(PYTHON), "-m", "compileall", "-q", "-j", cores, str(_site_packages())]
    # A file for another Python version does not compile; nobody imports it.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _make_servicekit_importable() -> None:
    (_site_packages() / "souk.pth").write_text(f"{REPOSITORY / 'services' / 'servicekit'}\n")
