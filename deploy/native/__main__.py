"""Old name of `RUNTIME=native python3 deploy/souk`; goes when nobody calls it any more."""

import os
import sys
from pathlib import Path

os.environ["RUNTIME"] = "native"
sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.orig_argv[sys.orig_argv.index(sys.argv[0])] = str(Path(sys.path[0]) / "souk")

from souk import cli  # noqa: E402

sys.exit(cli.main())
