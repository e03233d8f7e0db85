"""What must be done to the databases before a service may start; each is done once however often it is asked."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from native import run, variables
from native.environment import PYTHON
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, Layout
from native.progress import say
from native.secret_store import secret


def run_all(layout: Layout) -> None:
    """Migrates the three databases at once; then the first signing key and the first member of staff.

    Raises:
        Cannot: a step failed; its output is in the log folder.
    """
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        list(
            pool.map(
                lambda name: manage(layout, name, ["migrate", "--no-input", "--verbosity", "1"]), SERVICES
            )
        )
    say("databases are migrated")
    manage(layout, "users", ["ensure_signing_keys"])
    made = layout.state / "staff-made"
    if not made.exists():
        password = secret(layout, "staff")
        manage(
            layout,
            "users",
            ["make_staff", variables.STAFF_EMAIL, "--create", "--password-stdin"],
            password + "\n",
        )
        made.touch()


def manage(layout: Layout, name: str, words: list[str], stdin: str = "") -> None:
    """One manage.py command of a service, logged to migrate.log."""
    done = subprocess.run(
        [str(PYTHON), "manage.py", *words], cwd=REPOSITORY / "services" / name, env=run.environment(layout, name),
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    log = layout.log / "migrate.log"
    with log.open("a") as file:
        file.write(f"--- {name}: {' '.join(words)}\n{done.stdout}")
    if done.returncode:
        raise Cannot(f"{name}: manage.py {words[0]} failed:\n{last_lines(log)}")


def last_lines(path: Path, count: int = 25) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:]) if path.exists() else ""
