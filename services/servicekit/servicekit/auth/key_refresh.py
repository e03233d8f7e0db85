"""The thread that keeps a web process's key set fresh, whether or not anybody shows a token.

Without it, a process that has seen no token before users goes away could check none
(docs/adr/0101-keys-are-had-from-the-start.md).
"""

import logging
import threading
import time

from servicekit.auth import jwks
from servicekit.conf import kit_settings

logger = logging.getLogger(__name__)


def follow_in_background() -> None:
    """Keep the set fresh for as long as the process lives; where the keys are at home, do
    nothing.
    """
    if not kit_settings.token_keys:
        threading.Thread(target=_refresh_again_and_again, name="keys", daemon=True).start()


def _refresh_again_and_again() -> None:
    while True:
        try:
            jwks.refresh_unasked()
        except Exception:  # whatever it is, the thread must ask again
            logger.exception("key set not refreshed")
        time.sleep(jwks.NO_KEYS_PAUSE_SECONDS)
