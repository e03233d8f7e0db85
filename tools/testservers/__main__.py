"""`.venv/bin/python tools/testservers start|stop OWNER`: see containers.py.

`start` prints the variables that tests read, as JSON.
"""

import sys
from pathlib import Path

# This folder itself must not be on the path: its modules belong to the package `testservers`.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from testservers.containers import main  # noqa: E402

sys.exit(main())
