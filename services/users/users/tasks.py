"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from users.services import key_schedule


@shared_task(name="users.rotate_signing_key_when_due")  # type: ignore[untyped-decorator]
def rotate_signing_key_when_due() -> bool:
    """Rotate the signing key if it is old enough; return whether it was."""
    return key_schedule.rotate_when_due() is not None
