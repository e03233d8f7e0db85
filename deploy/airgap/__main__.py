"""`python3 deploy/airgap COMMAND`: see cli.py.

Runs before the virtual environment exists, so on any Python 3.11.
"""

import sys
from pathlib import Path

# This folder itself must not be on the path: its modules belong to the package `airgap`.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from airgap import cli  # noqa: E402

sys.exit(cli.main())
