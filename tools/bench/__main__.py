"""Run as `python tools/bench`: puts tools/ and deploy/ on the path, so that `bench` and what it
uses are packages like any other.
"""

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(TOOLS), str(TOOLS.parent / "deploy")]

from bench.cli import main  # noqa: E402  the path comes first

sys.exit(main())
