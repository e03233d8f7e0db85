"""`python3 deploy/souk COMMAND`: see cli.py. Runs before .venv exists, on any Python 3.11."""

import sys
from pathlib import Path

# The packages below deploy/ are on the path, not this folder: its modules belong to `souk`.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from souk import cli  # noqa: E402

sys.exit(cli.main())
