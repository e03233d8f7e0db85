"""`python3 tools/backup COMMAND`: see cli.py. Runs before .venv exists, on any Python 3.11."""

import sys
from pathlib import Path

# The packages below tools/ and deploy/ are on the path, not this folder: it is one of them.
_TOOLS = Path(__file__).resolve().parents[1]
sys.path[0:1] = [str(_TOOLS), str(_TOOLS.parent / "deploy")]

from backup import cli  # noqa: E402

sys.exit(cli.main())
