"""The ring turns by itself: a worker asks now and then whether the current key has signed for long
enough (SIGNING_KEY_DAYS).
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from users.models import SigningKey
from users.services import signing_keys

logger = logging.getLogger(__name__)


def rotate_when_due() -> str | None:
    """Let the next key sign if the current key has signed for SIGNING_KEY_DAYS; return its id, or
    None.

    Any number of workers may ask at once: the ring turns once. A next key that has not been
    published for long enough waits until somebody asks again.
    """
    with transaction.atomic():
        # Asked under the lock, so that nobody turns the ring between the question and the answer.
        signing_keys.lock_ring()
        since = timezone.now() - timedelta(days=settings.SIGNING_KEY_DAYS)
        if not SigningKey.objects.filter(
            state=SigningKey.State.CURRENT, changed_at__lte=since
        ).exists():
            return None
        try:
            kid = signing_keys.rotate_signing_key()
        except signing_keys.NextKeyTooYoung:
            return None
    logger.info("signing key rotated on schedule", extra={"kid": kid})
    return kid
