"""The checkout: its folder, its services, and what compose.yaml says for both runtimes."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SERVICES = ("users", "products", "orders")
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
STAFF_EMAIL = "staff@example.com"

_COMPOSE = (REPOSITORY / "compose.yaml").read_text(encoding="utf-8")
_PROCESS = re.compile(rf"^  ((?:{'|'.join(SERVICES)})-(?!db:|migrate:)\w+):$", re.MULTILINE)

#: The services' lasting processes, as SERVICE-PROCESS: `deploy/image/run PROCESS` runs each.
PROCESSES: list[str] = _PROCESS.findall(
    _COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:")[0]
)
#: The processes of which several containers may run: compose.yaml reads their number.
SCALABLE = [name for name in PROCESSES if f"${{{name.upper().replace('-', '_')}_SCALE" in _COMPOSE]
#: What every PostgreSQL server is started with.
POSTGRESQL_SETTINGS: dict[str, str] = dict(re.findall(r" -c (\w+)=(\S+)", _COMPOSE))
