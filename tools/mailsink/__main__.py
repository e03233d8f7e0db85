"""Run as `python tools/mailsink`: puts the folder's parent on the path, so that `mailsink` is a
package like any other.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from mailsink.cli import main  # noqa: E402  the path comes first

sys.exit(main())
