"""The documents that are made from the code and committed: OpenAPI per service, AsyncAPI for the
events.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from native import environment, variables
from native.layout import Layout
from native.ports import NAMES
from souk.checkout import REPOSITORY, SERVICES, VENV
from souk.console import CommandError

OPENAPI = REPOSITORY / "docs" / "openapi"


def openapi(*, check: bool) -> bool:
    """Writes docs/openapi/SERVICE.json, or tells whether they are what the code says."""
    OPENAPI.mkdir(exist_ok=True)
    content = True
    with tempfile.TemporaryDirectory(prefix="souk-documents-") as folder:
        for name in SERVICES:
            fresh = Path(folder) / f"{name}.json"
            words = [
                "spectacular",
                "--format",
                "openapi-json",
                "--validate",
                "--fail-on-warn",
                "--file",
                str(fresh),
            ]
            manage(name, words)
            content &= _settle(fresh, OPENAPI / fresh.name, check=check)
    return content


def _settle(fresh: Path, committed: Path, *, check: bool) -> bool:
    text = fresh.read_text().rstrip("\n") + "\n"
    if committed.exists() and committed.read_text() == text:
        return True
    if check:
        print(f"{committed.relative_to(REPOSITORY)} is out of date: `make openapi` and commit it")
        return False
    committed.write_text(text)
    print(f"wrote {committed.relative_to(REPOSITORY)}")
    return True


def events(*, check: bool) -> bool:
    """Writes docs/asyncapi.json, or tells whether it is what the contracts say."""
    manage("users", ["export_events", *(["--check"] if check else [])])
    return True


def manage(name: str, words: list[str]) -> None:
    """A manage.py command that needs no server, with variables made up for it."""
    with tempfile.TemporaryDirectory(prefix="souk-manage-") as folder:
        layout = Layout(Path(folder).resolve())
        layout.make()
        made_up = variables.service(layout, dict.fromkeys(NAMES, 1), name, {})
        command = [str(environment.PYTHON), "manage.py", *words]
        where = REPOSITORY / "services" / name
        path = f"{VENV / 'bin'}:{os.environ.get('PATH', '')}"
        done = subprocess.run(
            command,
            cwd=where,
            env={**os.environ, **made_up, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise CommandError(
            f"{name}: manage.py {words[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}"
        )


UV = "uv>=0.9,<1"


def requirements() -> None:
    """Locks every package anew and exports the hashed files; uv.lock itself names registries and
    stays out of git.
    """
    uv = [str(_uv())]
    _uv_run([*uv, "lock", "--upgrade"])
    export = [
        *uv,
        "export",
        "--quiet",
        "--frozen",
        "--no-emit-workspace",
        "--format",
        "requirements-txt",
        "--no-header",
    ]
    for name in SERVICES:
        target = f"services/{name}/requirements.txt"
        _uv_run([*export, "--package", name, "--no-dev", "--output-file", target])
    _uv_run([*export, "--package", "ops", "--no-dev", "--output-file", "deploy/requirements.txt"])
    _uv_run([*export, "--all-packages", "--output-file", "requirements.txt"])


def _uv() -> Path:
    """uv, in an environment of its own: it is no part of what runs the shop."""
    folder = VENV / "uv"
    if not (folder / "bin" / "uv").exists():
        _uv_run(["python3", "-m", "venv", str(folder)])
        _uv_run([str(folder / "bin" / "pip"), "install", "--quiet", UV])
    return folder / "bin" / "uv"


def _uv_run(command: list[str]) -> None:
    if subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=False).returncode:
        raise CommandError(f"{' '.join(command[:3])} failed")
